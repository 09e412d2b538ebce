"""MotionNet: a few layers of convolution that look at a power spectrum as at a picture."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from focuskit.detect.maps import MapNetwork
from focuskit.detect.motion import SPECTRUM_SHAPE

__all__ = ["MotionNet"]

# Brings spectra of photos to a mean of 0 and a deviation of 1.
_MEAN, _DEVIATION = -2.4, 2.5
_DROPPED = 0.3
_SHRUNK = 8


class MotionNet(MapNetwork):
    """The log odds of motion from the logarithm of a power spectrum, see `log_spectrum`.

    Args:
        width: channels of the first layers; the last have four times as many.
    """

    KIND: ClassVar[str] = "motion"
    INPUT: ClassVar[str] = "spectrum"
    CHANNELS: ClassVar[int] = 1
    OUTPUTS: ClassVar[tuple[str, ...]] = ("motion",)

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.width = width
        rows, columns = SPECTRUM_SHAPE
        self.layers = nn.Sequential(
            _layer(1, width),
            _layer(width, width),
            nn.MaxPool2d(2),
            _layer(width, 2 * width),
            _layer(2 * width, 2 * width),
            nn.MaxPool2d(2),
            _layer(2 * width, 4 * width),
            nn.MaxPool2d(2),
        )
        # Where a frequency lies says all: what is left of the spectrum is read as a whole.
        self.head = nn.Sequential(
            nn.Dropout(_DROPPED),
            nn.Conv2d(4 * width, 4 * width, (rows // _SHRUNK, columns // _SHRUNK)),
            nn.ReLU(),
            nn.Dropout(_DROPPED),
            nn.Conv2d(4 * width, 1, 1),
        )

    def forward(self, spectrum: Tensor) -> Tensor:
        """Judge (N, 1, 64, 32) spectra.

        Returns:
            (N, 1, 1, 1) log odds, > 0 for motion.
        """
        return self.head(self.layers((spectrum - _MEAN) / _DEVIATION))  # type: ignore[no-any-return]

    def maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the log odds as the one map that there is."""
        return (self(picture),)


def _layer(channels: int, width: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
