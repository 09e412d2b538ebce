"""Pictures of what a run costs, for documents.

matplotlib draws them; it comes with `focuskit[train]` and is imported only here, only when asked.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from focuskit.errors import OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_cluster", "draw_stages"]

_DPI = 110
# Readable on white and on black: pages may be either.
_INK = "#808890"
_COLOURS = ("#3b7dd8", "#5aa9e6", "#e0803c", "#c9a227", "#3f9e6b", "#8a6fc9", "#c25b83")
_REST = "#9aa3ad"


def draw_stages(stages: Mapping[str, float], title: str) -> bytes:
    """Return a PNG of where the time of one photo goes, in one bar.

    Args:
        stages: names and seconds; what is called "rest" or "overhead" is drawn gray.
        title: what was measured, in a line.

    Raises:
        OutputError: matplotlib is not installed.
    """
    figure, axes = _figure(7.2, 1.9)
    whole, left = sum(stages.values()), 0.0
    colours = iter(_COLOURS)
    for name, seconds in stages.items():
        colour = _REST if name in ("rest", "overhead") else next(colours)
        label = f"{name} {seconds * 1000:.1f} ms ({seconds / whole:.0%})"
        axes.barh(0, seconds * 1000, left=left * 1000, color=colour, label=label, height=0.6)
        left += seconds
    axes.set_xlim(0, whole * 1000)
    axes.set_yticks([])
    axes.set_xlabel("ms per photo and core", color=_INK, fontsize=8)
    axes.set_title(title, color=_INK, fontsize=9, loc="left")
    figure.legend(
        loc="lower center", ncols=3, fontsize=8, frameon=False, labelcolor=_INK,
        bbox_to_anchor=(0.5, 0.0),
    )  # fmt: skip
    figure.subplots_adjust(left=0.02, right=0.98, top=0.86, bottom=0.58)
    return _png(figure)


def draw_cluster(
    rows: Sequence[Mapping[str, Any]],
    checked: Sequence[tuple[int, float, float]],
    most_per_s: float,
    title: str,
) -> bytes:
    """Return a PNG of photos per second over workers, and where the coordinator is the limit.

    Args:
        rows: with "workers", "photos_per_s" and "ideal_per_s".
        checked: (workers, measured s, simulated s) of local runs.
        most_per_s: photos per second that one coordinator can see to.
        title: what was simulated, in a line.

    Raises:
        OutputError: matplotlib is not installed.
    """
    figure, axes = _figure(7.2, 3.6)
    workers = [row["workers"] for row in rows]
    axes.loglog(
        workers, [row["ideal_per_s"] for row in rows], ":", color=_REST, label="workers alone"
    )
    axes.loglog(
        workers, [row["photos_per_s"] for row in rows], "-o", color=_COLOURS[0], markersize=4,
        label="simulated",
    )  # fmt: skip
    axes.axhline(most_per_s, color=_COLOURS[2], linewidth=1)
    axes.annotate(
        f"one coordinator: {most_per_s:,.0f} photos/s", (1, most_per_s), color=_COLOURS[2],
        fontsize=8, xytext=(0, 4), textcoords="offset points",
    )  # fmt: skip
    errors = ", ".join(f"{count}: {run / model - 1:+.1%}" for count, run, model in checked)
    axes.set_xlabel(
        f"workers          measured against simulated time with local workers: {errors}",
        color=_INK, fontsize=8,
    )  # fmt: skip
    axes.set_ylabel("photos/s", color=_INK, fontsize=8)
    axes.set_title(title, color=_INK, fontsize=9, loc="left")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=True, which="major", color=_INK, alpha=0.25, linewidth=0.5)
    axes.legend(fontsize=8, frameon=False, labelcolor=_INK, loc="lower right")
    figure.tight_layout()
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise OutputError(
            "The pictures need matplotlib, which is not installed: run "
            "`pip install 'focuskit[train]'`, or leave out --pictures."
        ) from exc
    figure = Figure(figsize=(width, height), dpi=_DPI)
    axes = figure.add_subplot()
    axes.tick_params(colors=_INK, labelsize=8, which="both")
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_color(_INK)
        axes.spines[side].set_visible(side == "bottom")
    return figure, axes


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", transparent=True)
    return out.getvalue()
