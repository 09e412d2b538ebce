"""What each procedure does: a layer to the worker, the answer into the image, one undo step."""

from __future__ import annotations

from gi.repository import Gimp

import masks
from arguments import has_argument, parameters_of
from facts import facts_of
from job import JobError
from layers import Source

PICTURES = ("magnify", "bokeh", "refocus")
"""Operations whose result is always a picture."""

# Of operations that the worker calls otherwise.
_WORKERS_NAMES = {"deblur-regions": "deblur", "check-focus": "check"}
_HARDLY_CHANGED = 0.01
_MAP_COLOUR, _REGION_COLOUR, _CONFIDENCE_COLOUR = "#2f9e44", "#e8590c", "#1c7ed6"


def perform(operation, image, drawables, config, caller, told):
    """Do what a procedure is there for; return the facts of the worker.

    Args:
        operation: without "focuskit-".
        image: GIMP's image.
        drawables: what is selected in it.
        config: the procedure's arguments.
        caller: a job.Caller.
        told: called with (share or None, text).

    Raises:
        JobError: with the text for the user; the image is then as it was.
    """
    source = source_for(operation, image, drawables, config)
    parameters = call_parameters(operation, source, config)
    told(None, "Reading the layer")
    name = _WORKERS_NAMES.get(operation, operation)
    focus = map_of(operation, source, config, source.width, source.height)
    more = {"facts": facts_of(image), "map": focus}
    try:
        result = caller.run(name, parameters, source.picture(), told, **more)
    except JobError as exc:
        raise JobError(reworded(str(exc), image, config, parameters), exc.cancelled) from exc
    if operation == "check-focus":
        return result.facts
    told(1.0, "Making the layer")
    image.undo_group_start()
    try:
        _IntoImage(operation, source, config, parameters, result).add()
    finally:
        image.undo_group_end()
    if result.facts.get("changed_share", 1) < _HARDLY_CHANGED and result.notes:
        Gimp.message("\n".join(result.notes))
    return result.facts


def source_for(operation, image, drawables, config):
    """Return the layer to work on.

    Raises:
        JobError: it cannot be worked on.
    """
    colours = operation in PICTURES
    if operation == "focus-map":
        colours = config.get_property("as") == "layer"
    elif operation == "deblur-regions":
        colours = config.get_property("apply")
    source = Source(image, drawables, colours)
    if operation == "focus-map" and config.get_property("as") == "layer-mask":
        if source.layer.get_mask() is not None:
            raise JobError(
                "This layer has a mask already: apply or delete it first (Layer > Mask), or take "
                "the map as channel."
            )
    return source


def call_parameters(operation, source, config):
    """Return the worker's parameters for a call on the whole layer.

    Raises:
        JobError: there is no point, or it is not on the layer.
    """
    parameters = parameters_of(operation, config)
    if operation == "bokeh":
        key = "f_number" if config.get_property("amount-by") == "f-number" else "strength"
        parameters[key] = config.get_property(key.replace("_", "-"))
    elif operation == "refocus":
        parameters["point"] = list(_point_on_layer(source, config))
    elif operation == "check-focus" and not Gimp.Selection.is_empty(source.image):
        there, x, y, width, height = source.layer.mask_intersect()
        if not there:
            raise JobError("The selection lies outside of this layer: nothing is there to check.")
        parameters["box"] = [x, y, x + width, y + height]
    return parameters


def map_of(operation, source, config, width, height):
    """Return the map that the user chose, as a Picture; None where the detector shall find it."""
    chosen = config.get_property("map") if has_argument(operation, "map") else None
    return None if chosen is None else masks.focus_map(source, chosen, width, height)


def marked_point(image, config):
    """Return (x, y) in the image of what shall be in focus.

    Raises:
        JobError: nothing is marked.
    """
    where = config.get_property("at")
    if where == "coordinates":
        return config.get_property("x"), config.get_property("y")
    if where == "path":
        return _anchor(image)
    _, there, left, top, right, bottom = Gimp.Selection.bounds(image)
    if not there:
        raise JobError(
            "Nothing is selected: select what shall be in focus, or give the point as coordinates."
        )
    return (left + right - 1) // 2, (top + bottom - 1) // 2


def reworded(text, image, config, parameters):
    """Return what the worker says, its point on its own picture told as the one in the image."""
    if "point" not in parameters:
        return text
    x, y = parameters["point"]
    return text.replace(f"({x}, {y})", "({}, {})".format(*marked_point(image, config)))


class _IntoImage:
    """Puts an answer into the image."""

    def __init__(self, operation, source, config, parameters, result):
        self._operation, self._source, self._config = operation, source, config
        self._parameters, self._result = parameters, result
        self._undo = []

    def add(self):
        """Add layers, masks, channels; if one fails, none stays."""
        add = {
            "focus-map": self._map,
            "deblur-regions": self._regions,
        }.get(self._operation, self._picture)
        try:
            add()
        except Exception:
            for remove, item in reversed(self._undo):
                remove(item)
            raise

    def _map(self):
        source, made = self._source, self._result.pictures["map"]
        kind, chosen = self._config.get_property("as"), masks.selected(source)
        if kind == "layer":
            layer = source.new_grey_layer("Focus map", made)
            self._insert(layer, (chosen, masks.own_mask(source)))
        elif kind == "layer-mask":
            masks.add_mask(source.layer, masks.product(source, (made, chosen)))
        elif kind == "channel":
            self._channel("Focus map", masks.product(source, (made, chosen)), _MAP_COLOUR)
        else:
            masks.select(source, masks.product(source, (made, chosen)))

    def _picture(self):
        source, made = self._source, self._result.pictures
        pointed = self._operation == "refocus" and self._config.get_property("at") == "selection"
        # A selection that marks the point does not also limit the result.
        chosen = None if pointed else masks.selected(source)
        layer = source.new_layer(self._name(), made["picture"])
        if "confidence" in made:
            name = f"{self._name()}: confidence"
            self._channel(name, made["confidence"], _CONFIDENCE_COLOUR)
        self._insert(layer, (chosen, masks.own_mask(source)))

    def _regions(self):
        made = self._result.pictures
        if not any(each.get("kept") for each in self._result.regions):
            Gimp.message("No region of this layer is worth deblurring." + self._reasons())
            return
        for region in reversed(self._result.regions):
            if region.get("picture"):
                name = "Deblur: {}".format(region["name"])
                self._channel(name, made[region["picture"]], _REGION_COLOUR)
        if "picture" in made:
            layer = self._source.new_layer("Deblurred", made["picture"])
            source = self._source
            changed = made.get("mask")
            self._insert(layer, (changed, masks.selected(source), masks.own_mask(source)))

    def _reasons(self):
        reasons = [each.get("text") or each.get("reason") for each in self._result.regions[:3]]
        return "".join("\n" + each for each in reasons if each)

    def _insert(self, layer, pictures):
        mask = masks.product(self._source, pictures)
        if mask is not None:
            masks.add_mask(layer, mask)
        image, below = self._source.image, self._source.layer
        image.insert_layer(layer, below.get_parent(), image.get_item_position(below))
        self._undo.append((image.remove_layer, layer))
        image.set_selected_layers([layer])

    def _channel(self, name, picture, colour):
        channel = masks.add_channel(self._source, name, picture, colour)
        self._undo.append((self._source.image.remove_channel, channel))
        # GIMP makes a new channel the one that is worked on.
        self._source.image.set_selected_layers([self._source.layer])

    def _name(self):
        told = self._parameters
        if self._operation == "magnify":
            return "Magnify ×{:g}".format(round(told["factor"], 2))
        if self._operation == "refocus":
            x, y = marked_point(self._source.image, self._config)
            return f"Refocus ({x}, {y})"
        if "f_number" in told:
            return "Bokeh f/{:g}".format(round(told["f_number"], 2))
        return "Bokeh {:g} %".format(round(told["strength"], 2))


def _point_on_layer(source, config):
    x, y = marked_point(source.image, config)
    left, top = source.offset
    if not (0 <= x - left < source.width and 0 <= y - top < source.height):
        last = (left + source.width - 1, top + source.height - 1)
        raise JobError(
            f"The point ({x}, {y}) lies outside of the layer “{source.layer.get_name()}”, which "
            f"reaches from ({left}, {top}) to {last}: mark one on it."
        )
    return x - left, y - top


def _anchor(image):
    paths = image.get_selected_paths() or image.get_paths()
    for path in paths:
        for stroke in path.get_strokes():
            points = path.stroke_get_points(stroke)[1]
            # Of each anchor: a handle, itself, a handle.
            if len(points) >= 4:
                return round(points[2]), round(points[3])
    raise JobError(
        "There is no path with an anchor: click on what shall be in focus with the Paths tool, or "
        "give the point as coordinates."
    )
