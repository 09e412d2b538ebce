"""Detectors from papers: each asks one network for the in-focus probability of the whole frame.

The frame is squashed to 320×320, as in all these papers' tests and as the networks learned; only
photos with shorter sides keep those, to the next multiple of what the network asks of a side. Their
networks say nothing of the size of the blur, so the circle of confusion and the confidence are
those of the detector "lbp", which measures both without training. What is in focus is known from a
small picture only: blur that vanishes at 320 pixels is missed, by design of the systems.

References:
    C. Tang et al.: DeFusionNET. CVPR 2019, TPAMI 2022.
    N. Zhang, J. Yan: Rethinking the defocus blur detection problem and a real-time deep DBD model.
        ECCV 2020.
    S. Jonna, M. Medhi, R. R. Sahay: Distill-DBDGAN. ACM TOMM 2023.
    W. Zhao et al.: M2CS, after Self-generated defocus blur detection. CVPR 2021.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, luminance
from focuskit.detect.lbp import measure_coc
from focuskit.detect.runtime import Network, open_network
from focuskit.detect.weights import WEIGHTS_VARIABLE, own_file, weight_names
from focuskit.errors import WeightsError
from focuskit.optics.guided import guided_upsample
from focuskit.photo import Photo

__all__ = ["SIDE", "Published"]

SIDE = 320
"""Sides of the squashed frame in pixels."""

Map = NDArray[np.float32]

# The most that one of the networks asks of a side.
_STRIDE = 32
_UPSAMPLE_EPS = 1e-3


@dataclass(frozen=True, slots=True)
class Published:
    """Finds what is in focus with the network of a paper.

    Attributes:
        name: of the weights, and of the recipe that trains them.
        relative: it tells parts of a frame from each other; a frame without a sharp part has its
            least blurred one called sharp, as in all of these papers.
    """

    relative: ClassVar[bool] = True

    name: str

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the weights that it runs."""
        return (self.name,)

    def prepare(self) -> None:
        """Load the network now, so that what is wrong is said before any photo is read.

        Raises:
            WeightsError, DeviceError: the network cannot be run; the message tells a way on.
        """
        self._opened()

    def __call__(self, photo: Photo) -> BlurMap:
        """Return the map of a photo, of the photo's size.

        Raises:
            WeightsError, DeviceError: the network cannot be run; the message tells a way on.
        """
        return self.at(photo, photo.height, photo.width)

    def at(self, photo: Photo, height: int, width: int) -> BlurMap:
        """Return the map of a photo for the same photo made smaller.

        Args:
            photo: what to look at, at its own size.
            height: of the map in pixels, at most the photo's.
            width: of the map in pixels, at most the photo's.

        Raises:
            WeightsError, DeviceError: the network cannot be run; the message tells a way on.
        """
        network = self._opened()
        light = np.minimum(photo.rgb, np.float32(1))
        small = _resized(light, _squashed_shape(photo))
        picture = np.clip(encode_srgb(small), 0, 1)
        probability = network(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))[0][0]
        guide = luminance(_resized(light, (height, width)), photo.primaries)
        return replace(
            measure_coc(photo).resized(height, width),
            in_focus_probability=_enlarged(probability, guide),
        )

    def _opened(self) -> Network:
        if self.name not in weight_names() and own_file(self.name) is None:
            raise WeightsError(
                f"No weights of {self.name} ship with this focuskit; train them (focuskit train "
                f"{self.name} DATA -o RUN) and name the file: --weights "
                f"RUN/weights/{self.name}.safetensors, or "
                f"{WEIGHTS_VARIABLE}={self.name}=FILE."
            )
        network, _ = open_network(self.name)
        return network


detect_rdbd = Published("r-dbd")
detect_defusionnet = Published("defusionnet")
detect_dbdgan_teacher = Published("distill-dbdgan-teacher")
detect_dbdgan_student = Published("distill-dbdgan-student")
detect_m2cs = Published("m2cs")


def _squashed_shape(photo: Photo) -> tuple[int, int]:
    rows, columns = (
        min(SIDE, max(_STRIDE, round(side / _STRIDE) * _STRIDE))
        for side in (photo.height, photo.width)
    )
    return rows, columns


def _enlarged(probability: Map, light: Map) -> Map:
    """Bring the network's map to the size of a picture, along the picture's edges."""
    rows, columns = light.shape
    if probability.shape[0] > rows or probability.shape[1] > columns:
        return np.clip(_resized(probability, light.shape), 0, 1)
    # A square root follows the encoding closely enough to guide, at a tenth of its cost.
    guide = np.asarray(cv2.sqrt(np.maximum(light, np.float32(0))), np.float32)
    large = guided_upsample(guide.reshape(rows, columns), probability, radius=2, eps=_UPSAMPLE_EPS)
    return np.clip(large, 0, 1)


def _resized(picture: Map, shape: tuple[int, ...]) -> Map:
    if picture.shape[:2] == tuple(shape[:2]):
        return picture
    shrinks = shape[0] * shape[1] < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(picture, (shape[1], shape[0]), interpolation=method)
    return np.asarray(resized, np.float32).reshape(*shape[:2], *picture.shape[2:])
