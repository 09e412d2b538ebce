"""Pictures of how well a detector does: curves, reliability, and the photos that it does worst.

matplotlib draws them; it comes with `focuskit[train]` and is imported only here, only when asked.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.errors import OutputError
from focuskit.training.metrics import BETA_SQUARED, RELIABILITY_BINS, Curves, PhotoScore, Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "PICTURES",
    "WORST",
    "Case",
    "draw_pictures",
    "make_case",
    "need_matplotlib",
    "worst_cases",
]

PICTURES = ("precision-recall.png", "f-curve.png", "reliability.png", "worst.png")
"""File names of what `draw_pictures` draws."""

WORST = 10
"""Photos on the sheet of the worst."""

_DPI = 110
_TITLE_CHARS = 76
_THUMB_PX = 360
_LINE = "#1f5fa8"
_MARK = "#c8401e"
_FAINT = "#9aa3ad"
_CURVE_NOTE = f"in-focus class, map ≥ t/255 for t = 0…255, β² = {BETA_SQUARED}"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A photo with its truth and map, small enough to keep.

    Attributes:
        name: of the photo.
        score: of its map.
        photo: (h, w, 3) uint8, for the screen.
        truth: (h, w) float32 in [0, 1], 1 = in focus.
        probability: (h, w) float32 in [0, 1].
    """

    name: str
    score: PhotoScore
    photo: NDArray[np.uint8]
    truth: NDArray[np.float32]
    probability: NDArray[np.float32]


def need_matplotlib() -> None:
    """Tell before the work, not after it, that the pictures cannot be drawn.

    Raises:
        OutputError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as exc:
        raise OutputError(
            "The pictures need matplotlib, which is not installed: run "
            "`pip install 'focuskit[train]'`, or leave out --output."
        ) from exc


def make_case(
    name: str,
    score: PhotoScore,
    rgb: NDArray[np.float32],
    mask: NDArray[np.bool_],
    in_focus_probability: NDArray[np.float32],
) -> Case:
    """Shrink a photo in linear light, its mask and its map for the sheet."""
    factor = min(1.0, _THUMB_PX / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))

    def small(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)

    shown = np.rint(encode_srgb(np.minimum(small(rgb), np.float32(1))) * 255).astype(np.uint8)
    return Case(name, score, shown, small(mask.astype(np.float32)), small(in_focus_probability))


def worst_cases(cases: Sequence[Case]) -> list[Case]:
    """Return the ten with the largest mean absolute error, the worst first."""
    return sorted(cases, key=lambda case: (-case.score.mae, case.name))[:WORST]


def draw_pictures(
    curves: Curves, scores: Scores, worst: Sequence[Case], title: str
) -> dict[str, bytes]:
    """Return the pictures of a set as PNG, by file name, as in `PICTURES`.

    Args:
        curves: of the set.
        scores: of the same set.
        worst: for the sheet of photo, truth and map side by side, in this order.
        title: detector, set and photos, in a line.

    Raises:
        OutputError: matplotlib is not installed.
    """
    wide = (7.2, 5.6)
    sheet = (15.0, 0.9 + 2.1 * _rows(worst))
    drawn = (
        _png(wide, lambda figure: _precision_recall(figure, curves, title)),
        _png(wide, lambda figure: _f_curve(figure, curves, scores, title)),
        _png(wide, lambda figure: _reliability(figure, curves, scores, title)),
        _png(sheet, lambda figure: _sheet(figure, worst, title)),
    )
    return dict(zip(PICTURES, drawn, strict=True))


def _png(size: tuple[float, float], draw: Callable[[Figure], None]) -> bytes:
    need_matplotlib()
    from matplotlib.figure import Figure

    # Without pyplot: no window, no global state, whatever backend is set.
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    draw(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _titled(title: str, note: str) -> str:
    return f"{title}\n{note}"


def _axes(figure: Figure, title: str, note: str, x: str, y: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_title(_titled(textwrap.fill(title, _TITLE_CHARS), note), fontsize=11)
    axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(color="#e4e7ea")
    axes.set_axisbelow(True)
    return axes


def _precision_recall(figure: Figure, curves: Curves, title: str) -> None:
    note = f"means over photos, {_CURVE_NOTE}"
    axes = _axes(figure, title, note, "mean recall", "mean precision")
    axes.plot(curves.recall, curves.precision, color=_LINE, linewidth=2)
    half = 128
    _mark(axes, (curves.recall[half], curves.precision[half]), f"t = {half}", (-9, -7))


def _f_curve(figure: Figure, curves: Curves, scores: Scores, title: str) -> None:
    note = f"mean of the photos' F, {_CURVE_NOTE}"
    axes = _axes(figure, title, note, "threshold", "mean F")
    thresholds = np.arange(256) / 255
    axes.plot(thresholds, curves.f, color=_LINE, linewidth=2)
    if np.isnan(curves.f).any():
        return
    best = int(np.argmax(curves.f))
    value = scores.f_max
    text = f"F_max {value.value:.3f} ({value.low:.3f} to {value.high:.3f})\nat t = {best}"
    _mark(axes, (thresholds[best], curves.f[best]), text, (0, -14))


def _mark(axes: Axes, at: tuple[float, float], text: str, shift: tuple[float, float]) -> None:
    """Mark a point and write beside it, below a curve that falls to its right."""
    if not np.isfinite(at).all():
        return
    axes.plot(*at, "o", color=_MARK, clip_on=False, zorder=3)
    # What would leave the axes is written towards their middle.
    left, low = at[0] < 0.3, at[1] < 0.25
    axes.annotate(
        text,
        at,
        textcoords="offset points",
        xytext=(9 if left else shift[0], -shift[1] if low else shift[1]),
        ha="left" if left else "center" if at[0] < 0.7 and not shift[0] else "right",
        va="bottom" if low else "top",
    )


def _reliability(figure: Figure, curves: Curves, scores: Scores, title: str) -> None:
    ece = scores.ece
    note = (
        f"all pixels of the set, {RELIABILITY_BINS} equal bins, "
        f"ECE {ece.value:.3f} ({ece.low:.3f} to {ece.high:.3f})"
    )
    axes = _axes(figure, title, note, "predicted probability of focus", "share in focus")
    width = 1 / RELIABILITY_BINS
    centres = (np.arange(RELIABILITY_BINS) + 0.5) * width
    axes.bar(
        centres, curves.pixels, 0.92 * width, color="#d5dbe1", label="share of the set's pixels"
    )
    axes.plot([0, 1], [0, 1], "--", color=_FAINT, label="perfectly calibrated")
    line = axes.plot(curves.probability, curves.in_focus, "o-", color=_LINE, linewidth=2)[0]
    line.set(label="measured", clip_on=False, zorder=3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)


def _rows(cases: Sequence[Case]) -> int:
    return max(1, (len(cases) + 1) // 2)


def _sheet(figure: Figure, cases: Sequence[Case], title: str) -> None:
    note = "photo, truth and map; white = in focus"
    figure.suptitle(_titled(f"{title}: the {len(cases)} worst by MAE", note), fontsize=12)
    # Down the left column first, so that the worst come before the less bad.
    blocks = figure.subfigures(_rows(cases), 2, squeeze=False).T.ravel()
    for number, (case, block) in enumerate(zip(cases, blocks, strict=False), start=1):
        _case(block, case, number)


def _case(block: Any, case: Case, number: int) -> None:
    score = case.score
    figures = f"MAE {score.mae:.3f}"
    if score.f_adaptive is None:
        figures += ", one class only"
    else:
        figures += f", F_ada {score.f_adaptive:.3f}, F_B {score.f_blur:.3f}, AUC {score.auc:.3f}"
    name = case.name if len(case.name) <= 32 else f"{case.name[:31]}…"
    # Names may hold $ signs, which would start a formula.
    block.suptitle(f"{number}. {name}: {figures}", fontsize=10, parse_math=False)
    for axes, picture in zip(
        block.subplots(1, 3), (case.photo, case.truth, case.probability), strict=True
    ):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color(_FAINT)
