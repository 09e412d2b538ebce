#!/usr/bin/env python3
"""focuskit in GIMP 3: the procedures and the menu Filters > Focus.

The work is done by the installed focuskit, in a process of its own that docs/bridge.md of focuskit
describes; this plug-in needs nothing but GIMP's Python.
"""

from __future__ import annotations

import sys
import traceback

import gi

gi.require_version("Babl", "0.1")
gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Gegl, Gimp, GLib, GObject  # noqa: E402

import job  # noqa: E402
from actions import perform  # noqa: E402
from arguments import add_arguments  # noqa: E402

MENU = "<Image>/Filters/Focus"

# Of each operation: menu label, image types, what it does, and the rest of it.
PROCEDURES = {
    "focus-map": (
        "Focus _Map…",
        "*",
        "Find what is in focus, as layer, layer mask, channel or selection",
        "White is in focus. A selection limits the result.",
    ),
    "magnify": (
        "Ma_gnify Defocus…",
        "RGB*, GRAY*",
        "Enlarge the blur that is there, as a wider aperture would have; what is sharp stays",
        "Makes a new layer above this one; a selection becomes its mask.",
    ),
    "bokeh": (
        "_Bokeh…",
        "RGB*, GRAY*",
        "Blur the background as a wider aperture would have; what is in focus stays as it is",
        "Makes a new layer above this one; a selection becomes its mask.",
    ),
    "refocus": (
        "_Refocus…",
        "RGB*, GRAY*",
        "Move the plane of focus to a point: what lies there gets sharper, what was sharp is "
        "blurred",
        "Makes a new layer above this one, and a channel that says how far each pixel is to be "
        "believed. Detail that blur took altogether does not come back. A selection becomes the "
        "layer's mask, unless it marks the point.",
    ),
    "deblur-regions": (
        "_Deblur Regions…",
        "*",
        "Find the regions worth deblurring, each as a channel, and restore them if asked",
        "The channels are named with the region's blur. With restoring, a new layer above this "
        "one has a mask of what changed, limited by the selection.",
    ),
    "check-focus": (
        "_Check Focus Here",
        "*",
        "Say how blurred the selection is, or the layer without one",
        "Returns the blur in pixels, the probability that it is in focus, a verdict and a "
        "sentence, and changes nothing. What cannot be told is -1.",
    ),
}

_READ = GObject.ParamFlags.READWRITE
_VERDICTS = "“sharp”, “soft”, “blurred” or “cannot-tell”"


class Focuskit(Gimp.PlugIn):
    """The plug-in as GIMP sees it."""

    def do_query_procedures(self):
        """Return the names of the procedures."""
        return ["focuskit-" + each for each in PROCEDURES]

    def do_set_i18n(self, _name):
        """There are no translations."""
        return False

    def do_create_procedure(self, name):
        """Return one procedure with its arguments and its place in the menu."""
        operation = name[len("focuskit-") :]
        label, types, blurb, more = PROCEDURES[operation]
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, _run, operation)
        procedure.set_image_types(types)
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.DRAWABLE)
        procedure.set_menu_label(label)
        procedure.add_menu_path(MENU)
        procedure.set_documentation(blurb, f"{blurb}. {more}", None)
        procedure.set_attribution("The focuskit authors", "The focuskit authors", "2026")
        add_arguments(procedure, operation)
        if operation == "check-focus":
            _add_return_values(procedure)
        return procedure


def _add_return_values(procedure):
    most = GLib.MAXDOUBLE
    procedure.add_double_return_value(
        "sigma-px",
        "Sigma",
        "Blur as the sigma of a Gaussian, in pixels; or -1",
        -1,
        most,
        -1,
        _READ,
    )
    procedure.add_double_return_value(
        "coc-px", "Circle of confusion", "Its diameter in pixels; or -1", -1, most, -1, _READ
    )
    procedure.add_double_return_value(
        "probability", "Probability", "That it is in focus, 0 to 1; or -1", -1, 1, -1, _READ
    )
    procedure.add_string_return_value("verdict", "Verdict", _VERDICTS, "", _READ)
    procedure.add_string_return_value("text", "Text", "The verdict as a sentence", "", _READ)


def _run(procedure, run_mode, image, drawables, config, operation):
    """Do the work of one procedure, with a dialog if a person is there."""
    Gegl.init(None)
    job.clean_up_always()
    caller = job.Caller("gimp " + Gimp.version())
    try:
        if run_mode == Gimp.RunMode.INTERACTIVE and operation != "check-focus":
            from dialog import confirmed

            if not confirmed(procedure, operation, image, drawables, config):
                return _ended(procedure, Gimp.PDBStatusType.CANCEL)
        bar = _Bar()
        facts = perform(operation, image, drawables, config, caller, bar.show)
        bar.end()
    except job.JobError as exc:
        return _ended(procedure, Gimp.PDBStatusType.EXECUTION_ERROR, str(exc))
    except Exception as exc:  # noqa: BLE001 - GIMP would say only that something failed
        traceback.print_exc()
        text = f"focuskit's plug-in has a bug: {type(exc).__name__}: {exc}"
        return _ended(procedure, Gimp.PDBStatusType.EXECUTION_ERROR, text)
    finally:
        caller.close()
    Gimp.displays_flush()
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    if operation == "check-focus":
        if run_mode != Gimp.RunMode.NONINTERACTIVE:
            Gimp.message(facts["text"])
        _set_return_values(values, facts)
    return values


def _set_return_values(values, facts):
    numbers = ("sigma_px", "coc_px", "in_focus_probability")
    found = [(GObject.TYPE_DOUBLE, facts.get(each)) for each in numbers]
    found += [(GObject.TYPE_STRING, facts.get(each) or "") for each in ("verdict", "text")]
    for index, (kind, value) in enumerate(found, start=1):
        values.remove(index)
        values.insert(index, GObject.Value(kind, -1.0 if value is None else value))


def _ended(procedure, status, text=None):
    error = GLib.Error(text, "focuskit-error", 0) if text else None
    return procedure.new_return_values(status, error)


class _Bar:
    """GIMP's progress bar, told no more often than it can be seen."""

    def __init__(self):
        self._text, self._share = "", None
        Gimp.progress_init("focuskit")

    def show(self, share, text):
        """Show a share, or that something is done whose end is unknown."""
        if text and text != self._text:
            self._text = text
            Gimp.progress_set_text(text)
        if share is None:
            Gimp.progress_pulse()
        elif self._share is None or abs(share - self._share) >= 0.005:
            self._share = share
            Gimp.progress_update(share)

    def end(self):
        """Take the bar away."""
        Gimp.progress_end()


Gimp.main(Focuskit.__gtype__, sys.argv)
