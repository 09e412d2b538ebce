"""Places on a photo as people name them: pixels of the full, upright photo, or per cent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from focuskit.errors import InputError, RangeError
from focuskit.photo import Photo

__all__ = ["Box", "Coordinate", "Spot"]


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One number of a place.

    Attributes:
        value: in pixels from 0, or in per cent from 0 to 100.
        is_share: whether it is in per cent of the photo's side.
    """

    value: float
    is_share: bool = False

    @classmethod
    def parse(cls, text: str) -> Coordinate:
        """Read "640" or "50%".

        Raises:
            InputError: it is no number.
            RangeError: it lies outside every photo.
        """
        text = text.strip()
        is_share = text.endswith("%")
        try:
            value = float(text.removesuffix("%"))
        except ValueError as exc:
            raise InputError(f"{text!r} is no number of pixels and no share such as 50%.") from exc
        most = 100.0 if is_share else math.inf
        if not (math.isfinite(value) and 0 <= value <= most):
            raise RangeError(
                f"{text} lies outside every photo: pixels count from 0 at the left and the top, "
                "shares go from 0% to 100%."
            )
        return cls(value, is_share)

    def of(self, full_px: int) -> float:
        """Return where it lies on a side of so many pixels, in pixels."""
        return self.value / 100 * full_px if self.is_share else self.value

    def __str__(self) -> str:
        number = repr(self.value).removesuffix(".0")
        return f"{number}%" if self.is_share else number


@dataclass(frozen=True, slots=True)
class Spot:
    """A point: x from the left, y from the top."""

    x: Coordinate
    y: Coordinate

    @classmethod
    def parse(cls, text: str) -> Spot:
        """Read "X,Y".

        Raises:
            InputError: these are not two numbers.
            RangeError: a number lies outside every photo.
        """
        return cls(*_parsed(text, 2, "X,Y", "such as 1200,800 or 50%,40%"))

    def on(self, photo: Photo) -> tuple[float, float]:
        """Return the point in pixels of this photo's own array, which may be a preview.

        Raises:
            RangeError: it lies outside the photo.
        """
        width, height = _full_size(photo)
        x, y = self.x.of(width), self.y.of(height)
        # 100% is the far edge of the last pixel, which begins at width - 1.
        if not ((x < width or self.x.is_share) and (y < height or self.y.is_share)):
            raise _outside(f"The point {self}", width, height)
        return (
            min(x * photo.width / width, photo.width - 1.0),
            min(y * photo.height / height, photo.height - 1.0),
        )

    def __str__(self) -> str:
        return f"{self.x},{self.y}"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle from its left and top edge to its right and bottom edge."""

    left: Coordinate
    top: Coordinate
    right: Coordinate
    bottom: Coordinate

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read "X0,Y0,X1,Y1".

        Raises:
            InputError: these are not four numbers.
            RangeError: a number lies outside every photo.
        """
        return cls(*_parsed(text, 4, "X0,Y0,X1,Y1", "such as 100,200,600,500 or 10%,20%,40%,50%"))

    def on(self, photo: Photo) -> tuple[float, float, float, float]:
        """Return (x0, y0, x1, y1) in pixels of this photo's own array, which may be a preview.

        Raises:
            RangeError: it reaches beyond the photo, or holds nothing.
        """
        width, height = _full_size(photo)
        x0, y0, x1, y1 = self.within(width, height)
        across, down = photo.width / width, photo.height / height
        return x0 * across, y0 * down, x1 * across, y1 * down

    def within(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Return (x0, y0, x1, y1) in pixels of a full photo of that size.

        Raises:
            RangeError: it reaches beyond the photo, or holds nothing.
        """
        x0, y0 = self.left.of(width), self.top.of(height)
        x1, y1 = self.right.of(width), self.bottom.of(height)
        if not (x0 < x1 and y0 < y1):
            raise RangeError(
                f"The box {self} holds nothing on a photo of {width}×{height} pixels: give its "
                "left and top edge first, X0,Y0,X1,Y1."
            )
        if x1 > width or y1 > height:
            raise _outside(f"The box {self}", width, height)
        return x0, y0, x1, y1

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"


def _parsed(text: str, count: int, form: str, example: str) -> list[Coordinate]:
    parts = text.split(",")
    if len(parts) != count:
        raise InputError(f"{text!r} is not {form}: give {count} numbers, {example}.")
    return [Coordinate.parse(part) for part in parts]


def _full_size(photo: Photo) -> tuple[int, int]:
    return max(1, round(photo.width / photo.scale)), max(1, round(photo.height / photo.scale))


def _outside(what: str, width: int, height: int) -> RangeError:
    return RangeError(
        f"{what} lies outside the photo, which is {width}×{height} pixels: pixels count from 0 at "
        "the left and the top of the upright photo; shares such as 50%,40% work too."
    )
