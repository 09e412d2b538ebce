"""The dialogs: GIMP's own, with a preview beside the arguments."""

from __future__ import annotations

import threading

import gi

gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gimp, GimpUi, GLib, GObject, Gtk  # noqa: E402

import job  # noqa: E402
from actions import PICTURES, call_parameters, map_of, marked_point, reworded  # noqa: E402
from arguments import APERTURE, ARGUMENTS, has_argument  # noqa: E402
from facts import facts_of, told  # noqa: E402
from layers import Source  # noqa: E402
from preview import AFTER, BEFORE, FOCUS, Preview  # noqa: E402

_TITLES = {
    "focus-map": "Focus Map",
    "magnify": "Magnify Defocus",
    "bokeh": "Bokeh",
    "refocus": "Refocus",
    "deblur-regions": "Deblur Regions",
}
_BEFORE = (BEFORE, "Before", "The layer as it is")
_FOCUS = (FOCUS, "In focus", "What the detector finds in focus, in green")
_AFTER = (AFTER, "After", "What the new layer will look like")
# Blur shrinks with the picture: at this size, no region would be worth deblurring.
_WITHOUT_PREVIEW = ("deblur-regions",)
# Restoring takes seconds in all but small pictures.
_PREVIEW_PX = {"": (640,), "refocus": (384, 640)}
_HINTS = {
    "refocus": "Click in the preview on what shall be in focus.",
    "deblur-regions": "Each region worth deblurring becomes a channel, named with its blur. "
    "Restored, they are a new layer with a mask.",
}
_BLADES = (("Round", 0), ("5 blades", 5), ("6 blades", 6))
_BLADES += (("7 blades", 7), ("8 blades", 8), ("9 blades", 9))
_BEST, _FOUND = "focuskit's best", "Found by the detector"
_CONTROLS_PX = 380
_DIGITS = {"rotation": 0, "f-number": 1, "strength": 1, "factor": 1}
# Each step doubles the blur's area.
_LOGARITHMIC = ("f-number", "factor")


def confirmed(procedure, operation, image, drawables, config):
    """Return whether the user pressed OK; the arguments are then in `config`.

    Raises:
        job.JobError: the procedure cannot work on what is selected.
    """
    GimpUi.init("focuskit")
    return _Dialog(procedure, operation, image, drawables, config).run()


class _Dialog:
    """One dialog."""

    def __init__(self, procedure, operation, image, drawables, config):
        self._operation, self._image, self._config = operation, image, config
        # What else the arguments ask of the layer can still be changed.
        self._source = Source(image, drawables, operation in PICTURES)
        self._facts = facts_of(image)
        self._preview, self._maps, self._sent = None, {}, {}
        if operation == "refocus":
            self._start_point()
        self._dialog = GimpUi.ProcedureDialog.new(procedure, config, _TITLES[operation])
        self._build()

    def run(self):
        """Show it until a button is pressed."""
        self._config.connect("notify", self._changed)
        self._sensitive()
        if self._preview is not None:
            self._point_shown()
            self._preview.update()
        self._fetch_detectors()
        try:
            return self._dialog.run()
        finally:
            if self._preview is not None:
                self._preview.stop()
            self._dialog.destroy()

    def _build(self):
        row = Gtk.Box(spacing=18)
        row.set_border_width(12)
        if self._operation not in _WITHOUT_PREVIEW:
            views = (_BEFORE, _FOCUS)
            if self._operation != "focus-map":
                views = (_BEFORE, _FOCUS, _AFTER)
            name = "gimp " + Gimp.version()
            sizes = _PREVIEW_PX.get(self._operation, _PREVIEW_PX[""])
            self._preview = Preview(name, self._source, views, sizes, self._asked, self._reworded)
            if self._operation == "refocus":
                self._preview.on_point = self._pointed
            row.pack_start(self._preview.widget, False, False, 0)
        row.pack_start(self._controls(), True, True, 0)
        row.show_all()
        self._dialog.get_content_area().pack_start(row, True, True, 0)

    def _controls(self):
        for each in ARGUMENTS[self._operation]:
            if each.kind == "number":
                entry = self._dialog.get_scale_entry(each.name, 1.0)
                entry.set_digits(_DIGITS.get(each.name, 2))
                entry.set_logarithmic(each.name in _LOGARITHMIC)
        names = [each.name for each in ARGUMENTS[self._operation]]
        own = (*APERTURE, "map", "detector")
        main = [each for each in names if each not in own]
        column = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=12)
        column.set_size_request(_CONTROLS_PX, -1)
        if main:
            column.pack_start(self._dialog.fill_box("main-box", main), False, False, 0)
        if self._operation == "bokeh":
            column.pack_start(_small(self._camera()), False, False, 0)
        if self._operation in _HINTS:
            column.pack_start(_small(_HINTS[self._operation]), False, False, 0)
        if "blades" in names:
            self._dialog.get_int_combo("blades", _blades())
            box = self._dialog.fill_box("aperture-box", list(APERTURE))
            column.pack_start(_section("Aperture", box, True), False, False, 0)
        advanced = Gtk.Grid(row_spacing=6, column_spacing=6)
        if "map" in names:
            self._add_row(advanced, 0, "map", self._maps_combo())
        self._add_row(advanced, 1, "detector", self._detectors_combo())
        column.pack_start(_section("What Is in Focus", advanced, False), False, False, 0)
        return column

    def _add_row(self, grid, row, name, combo):
        argument = next(each for each in ARGUMENTS[self._operation] if each.name == name)
        combo.set_tooltip_text(argument.text)
        combo.set_hexpand(True)
        label = Gtk.Label.new_with_mnemonic(argument.nick)
        label.set_xalign(0.0)
        label.set_mnemonic_widget(combo)
        grid.attach(label, 0, row, 1, 1)
        grid.attach(combo, 1, row, 1, 1)

    def _maps_combo(self):
        combo = Gtk.ComboBoxText()
        combo.append("", _FOUND)
        others = [
            each
            for each in self._image.get_layers()
            if each.get_id() != self._source.layer.get_id()
        ]
        there = [*self._image.get_channels(), *others]
        for each in there:
            combo.append(str(each.get_id()), each.get_name())
        chosen = self._config.get_property("map")
        if chosen is not None and chosen.get_id() not in [each.get_id() for each in there]:
            # Remembered from another image.
            chosen = None
            self._config.set_property("map", None)
        combo.set_active_id("" if chosen is None else str(chosen.get_id()))
        combo.connect("changed", self._map_chosen)
        self._maps_choice = combo
        return combo

    def _map_chosen(self, combo):
        key = combo.get_active_id()
        self._config.set_property("map", Gimp.Drawable.get_by_id(int(key)) if key else None)

    def _detectors_combo(self):
        self._detectors = Gtk.ComboBoxText()
        self._detectors.append("", _BEST)
        chosen = self._config.get_property("detector") or ""
        if chosen:
            self._detectors.append(chosen, chosen)
        self._detectors.set_active_id(chosen)
        self._detectors.connect("changed", self._detector_chosen)
        return self._detectors

    def _camera(self):
        taken = told(self._facts)
        if taken:
            return f"Taken at {taken}."
        return "The f-number of this photo is not known, so that only strength can be used."

    def _asked(self, view, width, height):
        """Return what a view asks of the worker for a picture of this size."""
        detector = (self._config.get_property("detector") or "").strip()
        more = {"facts": self._facts, "map": self._small_map(width, height)}
        if view == FOCUS:
            if more["map"] is not None:
                return None, {}, more
            return "focus-map", {"detector": detector} if detector else {}, more
        parameters = call_parameters(self._operation, self._source, self._config)
        if "point" in parameters:
            scale = width / self._source.width
            parameters["point"] = [int(each * scale) for each in parameters["point"]]
        self._sent[width] = parameters
        return self._operation, parameters, more

    def _reworded(self, text):
        for parameters in self._sent.values():
            text = reworded(text, self._image, self._config, parameters)
        return text

    def _small_map(self, width, height):
        """Return the chosen map in this size; None where there is none."""
        if not has_argument(self._operation, "map"):
            return None
        chosen = self._config.get_property("map")
        key = (None if chosen is None else chosen.get_id(), width)
        if key not in self._maps:
            size = (width, height)
            self._maps[key] = map_of(self._operation, self._source, self._config, *size)
        return self._maps[key]

    def _changed(self, config, what):
        self._sensitive()
        # The button that resets tells only GIMP's own widgets.
        if what.name == "detector":
            self._detectors.set_active_id(config.get_property("detector") or "")
        elif what.name == "map":
            chosen = config.get_property("map")
            self._maps_choice.set_active_id("" if chosen is None else str(chosen.get_id()))
        if self._preview is None or (self._operation == "focus-map" and what.name == "as"):
            return
        self._point_shown()
        self._preview.update()

    def _sensitive(self):
        """Let only those arguments be changed that are used."""
        needs = {
            "bokeh": (("amount-by", "f-number", "f-number"), ("amount-by", "strength", "strength")),
            "refocus": (("at", "coordinates", "x"), ("at", "coordinates", "y")),
        }
        for choice, value, name in needs.get(self._operation, ()):
            used = self._config.get_property(choice) == value
            self._widget(name).set_sensitive(used)
        if has_argument(self._operation, "blades"):
            bladed = self._config.get_property("blades") > 0
            for name in ("rotation", "curvature"):
                self._widget(name).set_sensitive(bladed)

    def _widget(self, name):
        return self._dialog.get_widget(name, GObject.TYPE_NONE)

    def _start_point(self):
        """Begin in the middle of the layer where nothing is marked."""
        try:
            call_parameters(self._operation, self._source, self._config)
        except job.JobError:
            left, top = self._source.offset
            self._set_point(left + self._source.width // 2, top + self._source.height // 2)

    def _pointed(self, across, down):
        left, top = self._source.offset
        self._set_point(
            left + int(across * self._source.width), top + int(down * self._source.height)
        )

    def _set_point(self, x, y):
        self._config.set_property("x", x)
        self._config.set_property("y", y)
        self._config.set_property("at", "coordinates")

    def _point_shown(self):
        if self._operation != "refocus":
            return
        try:
            x, y = marked_point(self._image, self._config)
        except job.JobError:
            self._preview.mark(None)
            return
        left, top = self._source.offset
        self._preview.mark(
            ((x - left + 0.5) / self._source.width, (y - top + 0.5) / self._source.height)
        )

    def _detector_chosen(self, combo):
        self._config.set_property("detector", combo.get_active_id() or "")

    def _fetch_detectors(self):
        caller = job.Caller("gimp " + Gimp.version())

        def fetch():
            try:
                found = caller.operations(lambda _share, _text: None)
            except job.JobError:
                # The preview says what is wrong.
                return
            finally:
                caller.close()
            parameters = found.get("focus-map", {}).get("parameters", {})
            choices = parameters.get("detector", {}).get("choices") or []
            GLib.idle_add(self._detectors_there, choices)

        threading.Thread(target=fetch, daemon=True).start()

    def _detectors_there(self, choices):
        chosen = self._config.get_property("detector") or ""
        for each in choices:
            if each != chosen:
                self._detectors.append(each, each)
        return GLib.SOURCE_REMOVE


def _blades():
    store = GimpUi.IntStore.new([label for label, _ in _BLADES])
    for row, (_, value) in enumerate(_BLADES):
        store.set_value(store[row].iter, int(GimpUi.IntStoreColumns.VALUE), value)
    return store


def _section(title, box, is_open):
    expander = Gtk.Expander.new(f"<b>{title}</b>")
    expander.set_use_markup(True)
    expander.set_expanded(is_open)
    box.set_margin_start(12)
    box.set_margin_top(6)
    expander.add(box)
    return expander


def _small(text):
    label = Gtk.Label(label=text, xalign=0.0, wrap=True, max_width_chars=44)
    label.get_style_context().add_class("dim-label")
    return label
