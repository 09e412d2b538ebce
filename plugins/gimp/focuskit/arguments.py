"""The arguments of the procedures: one table each, for scripts, dialogs and the worker alike."""

from __future__ import annotations

from dataclasses import dataclass

from gi.repository import Gimp, GObject

_FLAGS = GObject.ParamFlags.READWRITE
# Larger than any canvas of GIMP; layers may lie outside of it.
_FAR_PX = 524288


@dataclass(frozen=True)
class Argument:
    """One argument.

    Attributes:
        name: in kebab case; the worker's parameter with `_`.
        nick: its label, `_` before the mnemonic.
        text: what it does, with its unit.
        kind: "number", "whole", "yes", "text", "choice" or "drawable".
        default: its value if nobody says anything.
        limits: (least, most) of numbers.
        choices: of a choice, (name, label, help) each.
        sent: whether it goes to the worker as it is.
    """

    name: str
    nick: str
    text: str
    kind: str
    default: object
    limits: tuple = (0, 0)
    choices: tuple = ()
    sent: bool = True


_DETECTOR = Argument(
    "detector",
    "_Detector",
    "Which of focuskit's blur detectors finds what is in focus; `focuskit names` lists them. "
    "Empty: the best one.",
    "text",
    "",
)


_MAP = Argument(
    "map",
    "_Map",
    "Channel or layer that says what is in focus, white = in focus, such as the result of Focus "
    "Map, corrected by hand. None: the detector finds it.",
    "drawable",
    None,
    sent=False,
)


def _aperture(highlights):
    return (
        Argument(
            "blades",
            "_Blades",
            "Blades of the aperture, which give lamps in the background their corners: 5 to 9, or "
            "0 = round.",
            "whole",
            0,
            (0, 9),
        ),
        Argument(
            "rotation",
            "Rotat_ion (°)",
            "How far the aperture is turned, in degrees counter-clockwise. Only seen with blades.",
            "number",
            0.0,
            (-180.0, 180.0),
        ),
        Argument(
            "curvature",
            "Cur_vature",
            "How round the blades are: 0 = straight, 1 = a circle. Only seen with blades.",
            "number",
            0.0,
            (0.0, 1.0),
        ),
        Argument(
            "cats-eye",
            "Cat's _eye",
            "How far discs narrow towards the corners, as behind fast lenses: 0 = not at all, "
            "1 = strongly.",
            "number",
            0.0,
            (0.0, 1.0),
        ),
        Argument(
            "ring",
            "Ri_ng",
            "Discs with bright rims (above 0, “soap bubbles”) or soft ones (below 0), -1 to 1.",
            "number",
            0.0,
            (-1.0, 1.0),
        ),
        Argument(
            "highlights",
            "Hi_ghlights",
            "How much light clipped lamps get back before they are blurred, so that they become "
            "bright discs instead of grey ones: 0 to 1.",
            "number",
            highlights,
            (0.0, 1.0),
        ),
        Argument(
            "grain",
            "Gr_ain",
            "Give blurred parts the photo's own noise again, so that they do not look painted.",
            "yes",
            True,
        ),
    )


APERTURE = tuple(each.name for each in _aperture(0.5))

ARGUMENTS = {
    "focus-map": (
        Argument(
            "as",
            "_Map as",
            "What becomes of the map, white = in focus.",
            "choice",
            "layer",
            choices=(
                ("layer", "Layer", "A grey layer above this one, to look at or to paint on"),
                ("layer-mask", "Layer mask", "A mask of this layer: what is blurred is hidden"),
                ("channel", "Channel", "A channel of the image, to be kept and loaded later"),
                ("selection", "Selection", "The image's selection: what is in focus"),
            ),
            sent=False,
        ),
        _DETECTOR,
    ),
    "magnify": (
        Argument(
            "factor",
            "_Factor",
            "How much larger all blur becomes: 1 = as it is, 2 = as with an aperture two stops "
            "wider.",
            "number",
            2.0,
            (1.0, 20.0),
        ),
        *_aperture(0.5),
        _MAP,
        _DETECTOR,
    ),
    "bokeh": (
        Argument(
            "amount-by",
            "Amount b_y",
            "Whether the amount of blur is given as f-number, for which the image's EXIF must hold "
            "its own, or as strength.",
            "choice",
            "strength",
            choices=(
                ("strength", "Strength", "Size of the discs, whatever the camera was"),
                ("f-number", "F-number", "As of a wider aperture of the same lens, by EXIF"),
            ),
            sent=False,
        ),
        Argument(
            "f-number",
            "_f-number",
            "The f-number as of which the background shall look, smaller than the photo's own: 0.5 "
            "to 64. Used if the amount is given by f-number.",
            "number",
            1.4,
            (0.5, 64.0),
            sent=False,
        ),
        Argument(
            "strength",
            "S_trength (%)",
            "Diameter of the background's discs in per cent of the picture's diagonal, up to 10; "
            "2 is a portrait lens wide open. Used if the amount is given by strength.",
            "number",
            2.0,
            (0.0, 10.0),
            sent=False,
        ),
        *_aperture(0.5),
        _MAP,
        _DETECTOR,
    ),
    "refocus": (
        Argument(
            "at",
            "_Point from",
            "Where the point is told that shall be in focus.",
            "choice",
            "selection",
            choices=(
                ("selection", "Selection", "The middle of the selection's bounds"),
                ("path", "Path", "The first anchor of the selected path"),
                ("coordinates", "Coordinates", "X and Y below"),
            ),
            sent=False,
        ),
        Argument(
            "x",
            "_X (px)",
            "The point's distance from the image's left border, in pixels. Used with coordinates.",
            "whole",
            0,
            (-_FAR_PX, _FAR_PX),
            sent=False,
        ),
        Argument(
            "y",
            "_Y (px)",
            "The point's distance from the image's upper border, in pixels. Used with coordinates.",
            "whole",
            0,
            (-_FAR_PX, _FAR_PX),
            sent=False,
        ),
        *_aperture(0.1),
        _MAP,
        _DETECTOR,
    ),
    "deblur-regions": (
        Argument(
            "apply",
            "Also res_tore them",
            "Also restore the regions, on a new layer with a mask.",
            "yes",
            False,
        ),
        Argument(
            "background",
            "_Background too",
            "Also regions far out of focus around a subject in focus, which are mostly meant so.",
            "yes",
            False,
        ),
        _MAP,
        _DETECTOR,
    ),
    "check-focus": (_DETECTOR,),
}


def add_arguments(procedure, operation):
    """Declare the operation's arguments on a procedure."""
    for each in ARGUMENTS[operation]:
        _add(procedure, each)


def has_argument(operation, name):
    """Whether an operation has this argument."""
    return any(each.name == name for each in ARGUMENTS[operation])


def parameters_of(operation, config):
    """Return the worker's parameters as a config holds them."""
    found = {}
    for each in ARGUMENTS[operation]:
        if not each.sent:
            continue
        value = config.get_property(each.name)
        if each.name == "detector" and not (value or "").strip():
            continue
        found[each.name.replace("-", "_")] = value
    return found


def _add(procedure, argument):
    name, nick, text, default = argument.name, argument.nick, argument.text, argument.default
    if argument.kind == "number":
        procedure.add_double_argument(name, nick, text, *argument.limits, default, _FLAGS)
    elif argument.kind == "whole":
        procedure.add_int_argument(name, nick, text, *argument.limits, default, _FLAGS)
    elif argument.kind == "yes":
        procedure.add_boolean_argument(name, nick, text, default, _FLAGS)
    elif argument.kind == "drawable":
        procedure.add_drawable_argument(name, nick, text, True, _FLAGS)
    elif argument.kind == "text":
        procedure.add_string_argument(name, nick, text, default, _FLAGS)
    else:
        choice = Gimp.Choice.new()
        for number, (key, label, help_text) in enumerate(argument.choices):
            choice.add(key, number, label, help_text)
        procedure.add_choice_argument(name, nick, text, choice, default, _FLAGS)
