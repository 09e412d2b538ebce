"""One call after the other: read its picture, do what was asked, write what came out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focuskit.batch.checked import Where, check_keys
from focuskit.batch.edits import Settings
from focuskit.batch.guides import Told
from focuskit.batch.maps import COC_STEPS_PER_PX
from focuskit.batch.places import Box
from focuskit.batch.ready import hardly_changed, ready_map
from focuskit.blurmap import BlurMap
from focuskit.bridge.calls import Call
from focuskit.bridge.checking import checked
from focuskit.bridge.memory import MapMemory, picture_key
from focuskit.bridge.pictures import (
    Samples,
    grey_picture,
    read_grey,
    read_samples,
    write_picture,
)
from focuskit.bridge.settings import CHECK, FOCUS_MAP, detector_of, read_settings
from focuskit.bridge.wording import for_editors
from focuskit.color import encoded_gray
from focuskit.detect import DETECTORS
from focuskit.edit import OPERATIONS, Edited
from focuskit.errors import InputError
from focuskit.optics.blind import with_edges
from focuskit.photo import Photo

__all__ = ["Progress", "perform"]

Progress = Callable[[float | None, str], None]
"""Told the share that is done, None where nobody knows, and what is being done."""

Answer = dict[str, Any]

_BITS = {"u8": 8, "u16": 16, "f32": 32}
# Shares of a call; where the map is known already, the operation has that of finding it too.
_READ, _FOUND, _WORKED = 0.03, 0.25, 0.95
_DOING = {
    "magnify": "Enlarging the blur",
    "bokeh": "Blurring the background",
    "refocus": "Moving the plane of focus",
    "deblur": "Looking for regions worth deblurring",
}
_TEXTURED, _IN_FOCUS = 0.5, 0.5


def perform(call: Call, memory: MapMemory, progress: Progress) -> Answer:
    """Do what a call asks for, and return the answer without its type and id.

    Args:
        call: checked.
        memory: of maps.
        progress: told how far it is; what it raises ends the call.

    Raises:
        FocuskitError: something in the call does not fit, or a result cannot be written.
    """
    started = time.perf_counter()
    # What cannot be is said before anything is read.
    work = _work(call)
    detector = detector_of(call.parameters)
    progress(0.0, "Reading the picture")
    samples = read_samples(call.folder, call.picture)
    photo = Photo(
        samples.light(),
        exif=call.exif,
        primaries=samples.encoding.primaries,
        scale=call.scale,
        bits=_BITS[call.picture.dtype],
    )
    key = picture_key(samples, call.scale)
    look = _Look(call, samples, photo, key, detector, memory, progress)
    read = time.perf_counter()
    found = work(look)
    worked = time.perf_counter()
    progress(_WORKED, "Writing the result")
    pictures = {name: write() for name, write in found.pictures.items()}
    written = time.perf_counter()
    return {
        "pictures": pictures,
        "regions": found.regions,
        "facts": found.facts,
        "notes": [for_editors(each) for each in found.notes],
        "seconds": {
            "read": round(read - started, 4),
            "work": round(worked - read, 4),
            "write": round(written - worked, 4),
        },
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A picture that was read, and how to find its map."""

    call: Call
    samples: Samples
    photo: Photo
    key: str
    detector: str
    memory: MapMemory
    progress: Progress

    def plain_map(self) -> BlurMap:
        """Return what the detector itself says."""
        return self._found("plain", lambda: DETECTORS.get(self.detector)(self.photo))

    def map(self) -> BlurMap:
        """Return the detector's map as edits use it, its blur corrected by edges."""
        return self._found("edges", lambda: with_edges(encoded_gray(self.photo), self.plain_map()))

    def told(self) -> Told:
        """Return the map, with what a person painted in place of what the detector says."""
        found, painted = self.map(), self.call.map
        if painted is None:
            return Told(found, ("detector",), painted=False, measured=False)
        probability = read_grey(self.call.folder, painted, "map")
        found = replace(found, in_focus_probability=probability)
        return Told(found, ("map", "detector"), painted=True, measured=False)

    def protect(self) -> NDArray[np.float32] | None:
        """Return the mask; what it keeps from changing altogether is no call for an edit."""
        if self.call.mask is None:
            return None
        mask = read_grey(self.call.folder, self.call.mask, "mask")
        if mask.min() >= 1:
            raise InputError(
                "The mask is white everywhere, so that nothing may change: paint white only what "
                "shall stay as it is."
            )
        return mask

    def known(self) -> bool:
        """Whether the map need not be found any more."""
        return self._key("edges") in self.memory

    def _found(self, kind: str, detect: Callable[[], BlurMap]) -> BlurMap:
        if self._key(kind) not in self.memory:
            self.progress(_READ, "Finding what is in focus")
        return self.memory.find(self._key(kind), detect)

    def _key(self, kind: str) -> tuple[str, str, str]:
        return (self.key, self.detector, kind)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What came out: pictures by name, each with how to write it, and what there is to say."""

    pictures: Mapping[str, Callable[[], Answer]]
    regions: list[Answer]
    facts: Answer
    notes: tuple[str, ...] = ()


def _work(call: Call) -> Callable[[_Look], _Found]:
    """Return what an operation does with a picture, its parameters checked."""
    if call.operation == FOCUS_MAP:
        check_keys(call.parameters, ("detector",), Where(FOCUS_MAP), "parameter")
        return _map
    if call.operation == CHECK:
        check_keys(call.parameters, ("box", "detector"), Where(CHECK), "parameter")
        box = _box(call.parameters.get("box"))
        return lambda look: _Found({}, [], checked(look.photo, look.map(), box(look.photo)))
    OPERATIONS.get(call.operation)
    settings = read_settings(call.operation, call.parameters)
    return lambda look: _edit(look, settings)


def _box(told: Any) -> Callable[[Photo], tuple[float, float, float, float] | None]:
    if told is None:
        return lambda _: None
    if not isinstance(told, list) or len(told) != 4:
        raise InputError(f"box must be a list [x0, y0, x1, y1] of pixels, found {told!r}.")
    box = Box.parse(",".join(map(str, told)))
    return lambda photo: box.on(replace(photo, scale=1.0))


def _map(look: _Look) -> _Found:
    found = look.plain_map()
    textured = found.confidence >= _TEXTURED
    sharp = textured & (found.in_focus_probability >= _IN_FOCUS)
    facts = {
        "in_focus_share": round(float(sharp.sum() / max(1, textured.sum())), 4),
        "texture_share": round(float(textured.mean()), 4),
        "detector": look.detector,
    }
    values = {
        "map": found.in_focus_probability * 65535,
        "coc": found.coc_diameter_px * COC_STEPS_PER_PX,
    }
    pictures = {name: _grey(look, name, each) for name, each in values.items()}
    return _Found(pictures, [], facts)


def _grey(look: _Look, name: str, values: NDArray[Any]) -> Callable[[], Answer]:
    steps = np.rint(np.clip(values, 0, 65535)).astype(np.uint16)
    return lambda: grey_picture(look.call.folder, name, steps)


def _edit(look: _Look, settings: Settings) -> _Found:
    operation, photo = look.call.operation, look.photo
    # Pixels in a call are those of its own picture, be it a preview.
    values = settings.on(replace(photo, scale=1.0))
    protect = look.protect()
    known = look.known()
    blur_map, notes = ready_map(operation, photo, look.told())
    begun = _READ if known else _FOUND
    text = _DOING.get(operation, operation.capitalize())
    if operation == "deblur" and values.get("apply"):
        text = "Restoring the regions worth it"
    look.progress(begun, text)
    edited = OPERATIONS.get(operation)(
        photo,
        blur_map,
        protect=protect,
        device=_device(),
        tick=lambda share: look.progress(begun + (_WORKED - begun) * share, text),
        **values,
    )
    if operation != "deblur":
        notes = (*notes, *hardly_changed(operation, edited.changed_share))
    facts = {"changed_share": round(edited.changed_share, 4)}
    pictures, regions = _results(look, edited)
    return _Found(pictures, regions, facts, (*notes, *edited.notes))


def _results(look: _Look, edited: Any) -> tuple[dict[str, Callable[[], Answer]], list[Answer]]:
    operation = look.call.operation
    pictures: dict[str, Callable[[], Answer]] = {"picture": lambda: _written(look, edited)}
    if operation == "refocus":
        pictures["confidence"] = _grey(look, "confidence", edited.confidence * 65535)
    if operation != "deblur":
        return pictures, []
    if edited.changed_share:
        changed = (edited.photo.rgb != look.photo.rgb).any(axis=2)
        pictures["mask"] = _grey(look, "mask", changed * np.float32(65535))
    else:
        pictures = {}
    labels = edited.regions.labels
    for region in edited.regions.kept:
        name = f"region-{region.label}"
        pictures[name] = _region(look, name, labels == region.label)
    every = (*edited.regions.kept, *edited.regions.left_out)
    return pictures, [_said(each) for each in every]


def _region(look: _Look, name: str, inside: NDArray[np.bool_]) -> Callable[[], Answer]:
    return lambda: grey_picture(look.call.folder, name, inside * np.uint8(255))


def _written(look: _Look, edited: Edited) -> Answer:
    values = look.samples.of(edited.photo.rgb, look.photo.rgb)
    return write_picture(look.call.folder, "picture", values, look.call.picture)


def _said(region: Any) -> Answer:
    x, y, width, height = region.box
    sigma_px = region.sigma_px[1]
    gain = region.expected_gain_db
    kept = bool(region.label)
    number = f"Region {region.label}" if kept else "Left out"
    return {
        "name": f"{number}, σ {sigma_px:.1f} px",
        "box": [x, y, x + width, y + height],
        "area_px": region.area_px,
        "sigma_px": round(sigma_px, 3),
        "coc_px": round(region.coc_px, 2),
        "gain_db": None if gain is None else round(gain, 2),
        "kept": kept,
        "reason": region.reason,
        "text": for_editors(region.sentence),
        "picture": f"region-{region.label}" if kept else None,
    }


def _device() -> str:
    return "cuda" if os.environ.get("FOCUSKIT_DEVICE") == "cuda" else "cpu"
