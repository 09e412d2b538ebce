"""Drawing for pages: elements of SVG, and the few shapes that plots are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

__all__ = ["Shape", "Value", "circles", "crosses", "diamonds", "element", "label", "number", "plot"]

Value = str | float | int | None
Shape = Callable[[Sequence[tuple[float, float, float]]], str]


def number(value: float) -> str:
    """Return a coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def element(name: str, *inside: str | Markup, **attributes: Value) -> Markup:
    """Return an element; everything that is no Markup is escaped.

    Args:
        name: of the element.
        inside: text and elements.
        attributes: "_" at the end is dropped, others become "-"; None leaves one out.
    """
    opened = Markup(name)
    for key, value in attributes.items():
        if value is not None:
            text = number(value) if isinstance(value, float) else str(value)
            opened += Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), text)
    content = Markup("").join(inside)
    return Markup("<{}>{}</{}>").format(opened, content, name) if inside else _empty(opened)


def plot(
    key: str,
    title: str,
    told: str,
    size: tuple[float, float],
    *inside: Markup,
    class_: str = "",
    stretched: bool = False,
) -> Markup:
    """Return a drawing that says what it shows to people who do not see it.

    Args:
        key: id of the drawing; each on a page has its own.
        title: what it is.
        told: what can be seen in it, in a sentence.
        size: width and height of its coordinates in px.
        inside: its shapes.
        class_: for style sheets.
        stretched: whether it fills whatever it is put into.
    """
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{key}-title"),
        element("desc", told, id=f"{key}-told"),
        *inside,
        id=key,
        class_=f"plot {class_}".strip(),
        viewBox=f"0 0 {number(width)} {number(height)}",
        preserveAspectRatio="none" if stretched else None,
        role="img",
        aria_labelledby=f"{key}-title {key}-told",
    )


def label(x: float, y: float, text: str, class_: str = "", anchor: str | None = None) -> Markup:
    """Return text that begins at a point, or is anchored there otherwise."""
    return element("text", text, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def circles(points: Sequence[tuple[float, float, float]]) -> str:
    """Return path data of circles, each (x, y, radius)."""
    return "".join(
        f"M{number(x - r)} {number(y)}a{number(r)} {number(r)} 0 1 0 {number(2 * r)} 0"
        f"a{number(r)} {number(r)} 0 1 0 {number(-2 * r)} 0"
        for x, y, r in points
    )


def crosses(points: Sequence[tuple[float, float, float]]) -> str:
    """Return path data of diagonal crosses, each (x, y, half its size)."""
    return "".join(
        f"M{number(x - r)} {number(y - r)}l{number(2 * r)} {number(2 * r)}"
        f"m0 {number(-2 * r)}l{number(-2 * r)} {number(2 * r)}"
        for x, y, r in points
    )


def diamonds(points: Sequence[tuple[float, float, float]]) -> str:
    """Return path data of squares on their tips, each (x, y, half its size)."""
    return "".join(
        f"M{number(x)} {number(y - r)}l{number(r)} {number(r)}l{number(-r)} {number(r)}"
        f"l{number(-r)} {number(-r)}z"
        for x, y, r in points
    )


def _empty(opened: Markup) -> Markup:
    return Markup("<{}/>").format(opened)
