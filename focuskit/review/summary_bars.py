"""Bars of a report: how many of each verdict, and what decided against shots."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from focuskit.review.summary_counts import Bar, Tally
from focuskit.review.summary_svg import element, label, plot

__all__ = ["VERDICT_WORDS", "draw_reasons", "draw_verdicts"]

VERDICT_WORDS = {
    "keeper": "keepers",
    "reject": "rejects",
    "cant-tell": "can’t tell",
    "failed": "failed",
}

_WIDTH, _ROW, _BAR = 460.0, 40.0, 12.0
_MOST_BARS = 12


def draw_verdicts(counts: Tally, key: str) -> Markup:
    """Draw one bar of all shots, a piece for each verdict.

    Args:
        counts: of at least one shot.
        key: id of the drawing.
    """
    pieces = (
        ("keeper", counts.keeper),
        ("reject", counts.reject),
        ("cant-tell", counts.cant_tell),
        ("failed", counts.failed),
    )
    left, drawn = 0.0, []
    for verdict, count in pieces:
        width = 1000.0 * count / counts.shots
        if count:
            drawn.append(
                element("rect", x=left, y=0, width=width, height=10, class_=f"piece {verdict}")
            )
        left += width
    told = ", ".join(f"{count} {VERDICT_WORDS[verdict]}" for verdict, count in pieces) + "."
    return plot(key, "Verdicts", told, (1000, 10), *drawn, stretched=True)


def draw_reasons(bars: Sequence[Bar], key: str) -> Markup:
    """Draw a bar for each reason, rejects before what is left to the eye.

    Args:
        bars: at least one, as `reason_bars` gives them.
        key: id of the drawing.
    """
    shown = bars[:_MOST_BARS]
    longest = max(bar.shots for bar in shown)
    drawn = []
    for at, bar in enumerate(shown):
        y = at * _ROW
        length = (_WIDTH - 60) * bar.shots / longest
        drawn.append(label(0, y + 15, bar.name))
        box = element(
            "rect", x=0, y=y + 21, width=max(length, 2.0), height=_BAR, rx=2,
            class_=f"piece {bar.verdict}",
        )  # fmt: skip
        drawn += [box, label(max(length, 2.0) + 8, y + 31.5, f"{bar.shots:,}", "strong")]
    told = "; ".join(f"{bar.name}: {bar.shots}" for bar in shown) + "."
    return plot(key, "What decided", told, (_WIDTH, len(shown) * _ROW), *drawn)
