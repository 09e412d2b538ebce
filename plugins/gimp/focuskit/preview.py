"""The picture in the dialogs: the layer, small, before and after, without ever making GIMP wait."""

from __future__ import annotations

import threading
from array import array

from gi.repository import GdkPixbuf, GLib, Gtk

import job

_SHOWN_PX = 560
_PAUSE_MS = 180
_TIME_LIMIT_S = 60.0
_CHECK_PX, _LIGHT, _DARK = 8, 0x999999, 0x666666
# In focus: green, half transparent.
_TINT = (47, 205, 80)
_TINT_ALPHA = bytes(each * 150 // 255 for each in range(256))
_MARK_ARM, _MARK_GAP = 11, 3

BEFORE, AFTER, FOCUS = "before", "after", "focus"


class Preview:
    """A widget that shows what an operation would do.

    Attributes:
        widget: to be packed.
        on_point: called with (x, y) in shares of the layer when somebody clicks, or None.
    """

    def __init__(self, name, source, views, sizes_px, ask, reword):
        """Make it.

        Args:
            name: of this program, for the worker.
            source: the layer.
            views: (key, label, tooltip) of each way to look at it; the last one is shown first.
            sizes_px: of the pictures that the worker gets, one after the other: the first one is
                seen soon, the last one is good.
            ask: returns (operation, parameters, further keys of the call) for a view and a size,
                or raises JobError; without an operation, the call's map is what is shown.
            reword: returns the worker's words for the user.
        """
        self._name, self._ask, self._reword = name, ask, reword
        self._pictures = [source.preview(each) for each in sizes_px]
        self._width = source.width
        self._number, self._timer, self._caller = 0, 0, None
        self._pixbufs, self._mark, self._view = {}, None, views[-1][0]
        self.on_point = None
        best, alpha = self._pictures[-1]
        self._shown_size = _fitted(best.width, best.height)
        self._pixbufs[BEFORE] = self._pixbuf(best, alpha)
        self.widget = self._built(views)
        self._show()

    def update(self):
        """Draw anew soon; the arguments have changed."""
        if self._timer:
            GLib.source_remove(self._timer)
        self._timer = GLib.timeout_add(_PAUSE_MS, self._start)

    def mark(self, point):
        """Show a cross at (x, y) in shares of the layer; None takes it away."""
        self._mark = point
        self._show()

    def stop(self):
        """End what is under way; nothing is shown any more."""
        self._number += 1
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0
        if self._caller is not None:
            self._caller.cancel()

    def _built(self, views):
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._image = Gtk.Image()
        events = Gtk.EventBox()
        events.add(self._image)
        events.set_halign(Gtk.Align.CENTER)
        events.connect("button-press-event", self._clicked)
        frame = Gtk.Frame()
        frame.set_shadow_type(Gtk.ShadowType.IN)
        frame.set_halign(Gtk.Align.CENTER)
        frame.add(events)
        box.pack_start(frame, False, False, 0)
        box.pack_start(self._switch(views), False, False, 0)
        line = Gtk.Box(spacing=6)
        self._spinner = Gtk.Spinner()
        self._status = Gtk.Label(xalign=0.0, yalign=0.0, wrap=True, max_width_chars=60)
        # Room for three lines, so that nothing jumps.
        self._status.set_size_request(-1, 54)
        self._spinner.set_valign(Gtk.Align.START)
        line.pack_start(self._status, True, True, 0)
        line.pack_start(self._spinner, False, False, 0)
        box.pack_start(line, False, False, 0)
        return box

    def _switch(self, views):
        buttons = Gtk.Box()
        buttons.get_style_context().add_class("linked")
        buttons.set_halign(Gtk.Align.CENTER)
        group = None
        for key, label, tip in views:
            button = Gtk.RadioButton.new_with_label_from_widget(group, label)
            button.set_mode(False)
            button.set_tooltip_text(tip)
            group = group or button
            button.set_active(key == self._view)
            button.connect("toggled", self._viewed, key)
            buttons.pack_start(button, False, False, 0)
        return buttons

    def _viewed(self, button, key):
        if button.get_active():
            self._view = key
            self._show()
            if key not in self._pixbufs:
                self.update()

    def _clicked(self, _widget, event):
        if self.on_point is not None and event.button == 1:
            width, height = self._shown_size
            self.on_point(
                min(max(event.x / width, 0.0), 0.9999), min(max(event.y / height, 0.0), 0.9999)
            )
        return True

    def _start(self):
        """Begin a call for the view that is chosen, in a thread of its own."""
        self._timer = 0
        self._number += 1
        if self._caller is not None:
            self._caller.cancel()
        self._pixbufs = {BEFORE: self._pixbufs[BEFORE]}
        if self._view == BEFORE:
            self._say("", False)
            return GLib.SOURCE_REMOVE
        try:
            asked = [self._ask(self._view, each.width, each.height) for each, _ in self._pictures]
        except job.JobError as exc:
            self._say(str(exc), False)
            self._show()
            return GLib.SOURCE_REMOVE
        if self._view == FOCUS:
            # A map is found as fast in the good picture.
            del asked[:-1]
        if asked[-1][0] is None:
            self._pixbufs[self._view] = self._overlaid(asked[-1][2]["map"])
            self._say("", False)
            self._show()
            return GLib.SOURCE_REMOVE
        self._say("Updating…", True)
        self._caller = job.Caller(self._name)
        work = (self._number, self._view, self._caller, asked)
        threading.Thread(target=self._call, args=work, daemon=True).start()
        return GLib.SOURCE_REMOVE

    def _call(self, number, view, caller, asked):
        def told(_share, text):
            GLib.idle_add(self._told, number, text)

        try:
            pictures = self._pictures[-len(asked) :]
            for index, (operation, parameters, more) in enumerate(asked):
                if number != self._number:
                    return
                picture, alpha = pictures[index]
                scale = min(1.0, picture.width / self._width)
                more = dict(more, scale=scale, limit_s=_TIME_LIMIT_S)
                result = caller.run(operation, parameters, picture, told, **more)
                is_last = index == len(asked) - 1
                GLib.idle_add(self._done, number, view, result, alpha, is_last)
        except job.JobError as exc:
            GLib.idle_add(self._failed, number, view, exc)
        finally:
            caller.close()

    def _told(self, number, text):
        if number == self._number and text:
            self._say(text.rstrip("…") + "…", True)
        return GLib.SOURCE_REMOVE

    def _failed(self, number, view, error):
        if number == self._number:
            self._pixbufs.pop(view, None)
            self._say("" if error.cancelled else self._reword(str(error)), False)
            self._show()
        return GLib.SOURCE_REMOVE

    def _done(self, number, view, result, alpha, is_last):
        if number != self._number:
            return GLib.SOURCE_REMOVE
        if view == FOCUS:
            self._pixbufs[view] = self._overlaid(result.pictures["map"])
            share = result.facts.get("in_focus_share")
            self._say(
                "" if share is None else f"{share:.0%} of what has texture is in focus.", False
            )
        else:
            self._pixbufs[view] = self._pixbuf(result.pictures["picture"], alpha)
            self._say(" ".join(result.notes[:2]) if is_last else "Refining…", not is_last)
        self._show()
        return GLib.SOURCE_REMOVE

    def _say(self, text, busy):
        self._status.set_text(text)
        self._status.set_tooltip_text(text or None)
        if busy:
            self._spinner.start()
        else:
            self._spinner.stop()

    def _show(self):
        # Until its picture is there, a view shows the one before.
        pixbuf = self._pixbufs.get(self._view, self._pixbufs[BEFORE])
        if self._mark is not None:
            pixbuf = _marked(pixbuf.copy(), self._mark)
        self._image.set_from_pixbuf(pixbuf)

    def _pixbuf(self, picture, alpha):
        """Return RGB of 8 bits as it is shown, over checks where it is transparent."""
        width, height = picture.width, picture.height
        data, has_alpha = picture.strips[0], alpha is not None
        if has_alpha:
            samples, whole = array("B", data), array("B", bytes(width * height * 4))
            for channel in range(3):
                whole[channel::4] = samples[channel::3]
            whole[3::4] = alpha
            data = whole.tobytes()
        pixbuf = _from_bytes(data, width, height, has_alpha)
        return pixbuf.composite_color_simple(
            *self._shown_size, GdkPixbuf.InterpType.BILINEAR, 255, _CHECK_PX, _LIGHT, _DARK
        )

    def _overlaid(self, focus):
        """Return the layer with what is in focus tinted."""
        whole = array("B", bytes(focus.width * focus.height * 4))
        for channel, value in enumerate(_TINT):
            whole[channel::4] = array("B", bytes([value]) * (focus.width * focus.height))
        whole[3::4] = array("B", focus.strips[0][1::2].translate(_TINT_ALPHA))
        tint = _from_bytes(whole.tobytes(), focus.width, focus.height, True)
        width, height = self._shown_size
        shown = self._pixbufs[BEFORE].copy()
        across, down = width / focus.width, height / focus.height
        way = GdkPixbuf.InterpType.BILINEAR
        tint.composite(shown, 0, 0, width, height, 0, 0, across, down, way, 255)
        return shown


def _fitted(width, height):
    share = min(1.0, _SHOWN_PX / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def _from_bytes(data, width, height, has_alpha):
    each = 4 if has_alpha else 3
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(data),
        GdkPixbuf.Colorspace.RGB,
        has_alpha,
        8,
        width,
        height,
        width * each,
    )


def _marked(pixbuf, point):
    """Draw a white cross with a dark rim, open in the middle."""
    width, height = pixbuf.get_width(), pixbuf.get_height()
    x, y = int(point[0] * width), int(point[1] * height)
    for grown, colour in ((1, 0x000000FF), (0, 0xFFFFFFFF)):
        for first in (-_MARK_ARM, _MARK_GAP):
            length = _MARK_ARM - _MARK_GAP
            boxes = (
                (x + first - grown, y - 1 - grown, length + 2 * grown, 2 + 2 * grown),
                (x - 1 - grown, y + first - grown, 2 + 2 * grown, length + 2 * grown),
            )
            for left, top, across, down in boxes:
                right, bottom = min(left + across, width), min(top + down, height)
                left, top = max(left, 0), max(top, 0)
                if right > left and bottom > top:
                    pixbuf.new_subpixbuf(left, top, right - left, bottom - top).fill(colour)
    return pixbuf
