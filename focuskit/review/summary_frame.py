"""Where in the frame the focus landed, drawn: a density, and the camera's AF points on it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from focuskit.batch.pictures import png
from focuskit.review.summary_entries import LIMIT_SCORE, Entry
from focuskit.review.summary_svg import Shape, circles, crosses, element, number, plot

__all__ = ["Landing", "draw_frame", "landing"]

_LONG_PX, _SHORT_PX = 420.0, 280.0
_CELLS = 60
# Of the frame's longer side: a spot that is seen, and a scatter that is smoothed.
_SPREAD = 0.045
_MANY_POINTS, _MOST_POINTS = 40, 250
_AF_POINT = "AF point"

Point = tuple[float, float]
_THIRDS = tuple(
    " ".join(words)
    for words in (
        ("upper", "left"), ("upper", "middle"), ("upper", "right"),
        ("middle", "left"), ("middle",), ("middle", "right"),
        ("lower", "left"), ("lower", "middle"), ("lower", "right"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Landing:
    """Where shots of one orientation are in focus.

    Attributes:
        portrait: whether they are higher than wide.
        middles: of their in-focus areas, as shares (x, y) of the frame.
        hits: AF points that are in focus.
        misses: AF points that are not, though nothing moved.
        blank: how many shots have no in-focus area.
    """

    portrait: bool
    middles: tuple[Point, ...]
    hits: tuple[Point, ...]
    misses: tuple[Point, ...]
    blank: int

    @property
    def thirds(self) -> list[tuple[str, int]]:
        """How many of the middles lie in each ninth of the frame, by name."""
        counts = [0] * 9
        for x, y in self.middles:
            counts[3 * min(int(y * 3), 2) + min(int(x * 3), 2)] += 1
        return list(zip(_THIRDS, counts, strict=True))


def landing(entries: Sequence[Entry], *, portrait: bool) -> Landing | None:
    """Collect where the focus landed; None where no shot of this orientation tells.

    Args:
        entries: that could be read.
        portrait: those higher than wide, or the others.
    """
    these = [entry for entry in entries if entry.portrait is portrait]
    hits, misses = [], []
    for entry in these:
        if entry.region != _AF_POINT or entry.box is None or entry.sharpness is None:
            continue
        x, y, width, height = entry.box
        middle = (x + width / 2, y + height / 2)
        if entry.sharpness >= LIMIT_SCORE:
            hits.append(middle)
        elif "motion" not in entry.codes:
            misses.append(middle)
    middles = tuple(entry.focus for entry in these if entry.focus is not None)
    if not middles and not hits and not misses:
        return None
    return Landing(portrait, middles, tuple(hits), tuple(misses), len(these) - len(middles))


def draw_frame(found: Landing, key: str) -> Markup:
    """Draw a frame with the density of in-focus middles and the AF points.

    Args:
        found: what lies where.
        key: id of the drawing.
    """
    width, height = (_SHORT_PX, _LONG_PX) if found.portrait else (_LONG_PX, _SHORT_PX)
    inside = [element("rect", x=0, y=0, width=width, height=height, class_="frame")]
    if found.middles:
        inside.append(
            element(
                "image",
                href=_png_uri(_density(found.middles, width, height)),
                width=width,
                height=height,
                preserveAspectRatio="none",
            )
        )
    inside.append(element("path", d=_thirds_lines(width, height), class_="third"))
    if len(found.middles) <= _MOST_POINTS:
        inside.append(_marks(found.middles, circles, 1.6, "spot", (width, height)))
    # Both are thinned alike, so that the drawing tells how often the AF point was missed.
    step = -(-(len(found.hits) + len(found.misses)) // _MOST_POINTS) or 1
    radius = 5.0 if len(found.hits) + len(found.misses) <= _MANY_POINTS else 3.2
    hits, misses = found.hits[::step], found.misses[::step]
    inside.append(_marks(hits, circles, radius, "af keeper", (width, height)))
    inside.append(_marks(misses, crosses, radius, "af reject", (width, height)))
    kind = "Portrait" if found.portrait else "Landscape"
    return plot(
        key, f"Where focus lands, {kind.lower()} format", _told(found), (width, height), *inside,
        class_=kind.lower(),
    )  # fmt: skip


def _marks(
    points: Sequence[Point], shape: Shape, radius: float, class_: str, size: tuple[float, float]
) -> Markup:
    shown = [(x * size[0], y * size[1], radius) for x, y in points]
    return element("path", d=shape(shown), class_=f"mark {class_}")


def _thirds_lines(width: float, height: float) -> str:
    across = "".join(f"M0 {number(height * part / 3)}H{number(width)}" for part in (1, 2))
    return across + "".join(f"M{number(width * part / 3)} 0V{number(height)}" for part in (1, 2))


def _density(middles: Sequence[Point], width: float, height: float) -> NDArray[np.uint8]:
    """Return (rows, columns, 4) BGRA: how often the focus landed there, as light."""
    columns = round(_CELLS * width / max(width, height))
    rows = round(_CELLS * height / max(width, height))
    points = np.asarray(middles, np.float32)
    counts = np.zeros((rows, columns), np.float32)
    at_x = np.minimum((points[:, 0] * columns).astype(int), columns - 1)
    at_y = np.minimum((points[:, 1] * rows).astype(int), rows - 1)
    np.add.at(counts, (at_y, at_x), 1)
    smooth = cv2.GaussianBlur(counts, (0, 0), _CELLS * _SPREAD, borderType=cv2.BORDER_CONSTANT)
    share = smooth / max(float(smooth.max()), 1e-9)
    light = np.sqrt(share)[..., None]
    # From the gold that outlines focus in other pictures to nearly white where there is most.
    low, high = np.array([20, 130, 235], np.float32), np.array([190, 240, 255], np.float32)
    shown = np.concatenate([low + (high - low) * light**2, 235 * light], axis=2)
    return np.asarray(np.rint(shown), np.uint8)


def _png_uri(picture: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


def _told(found: Landing) -> str:
    words = []
    if found.middles:
        name, count = max(found.thirds, key=lambda each: each[1])
        words.append(
            f"Of {len(found.middles)} shots with something in focus, most ({count}) have its "
            f"middle in this part of the frame: {name}"
        )
    if found.hits or found.misses:
        words.append(f"{len(found.hits)} AF points are in focus, {len(found.misses)} are not")
    return "; ".join(words) + "."
