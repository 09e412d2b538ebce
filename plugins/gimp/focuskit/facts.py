"""What the camera wrote down about an image, as far as the worker asks for it."""

from __future__ import annotations

import html
import re

_MAKE, _MODEL, _LENS = "Exif.Image.Make", "Exif.Image.Model", "Exif.Photo.LensModel"
_NUMBERS = {
    "f_number": "Exif.Photo.FNumber",
    "focal_length_mm": "Exif.Photo.FocalLength",
    "focal_length_35mm": "Exif.Photo.FocalLengthIn35mmFilm",
    "focus_distance_m": "Exif.Photo.SubjectDistance",
    "exposure_s": "Exif.Photo.ExposureTime",
}
_TAG = re.compile(r'<tag name="(Exif[^"]+)">([^<]*)</tag>')
_ISO = "Exif.Photo.ISOSpeedRatings"


def facts_of(image):
    """Return the facts of docs/bridge.md that the image's EXIF holds."""
    tags = _tags(image)
    make, model, lens = (tags.get(each, "").strip() for each in (_MAKE, _MODEL, _LENS))
    camera = model if model.lower().startswith(make.lower()) else (f"{make} {model}").strip()
    found = {name: text for name, text in (("camera", camera), ("lens", lens)) if text}
    for name, tag in _NUMBERS.items():
        number = _number(tags.get(tag))
        if number is not None and number > 0:
            found[name] = number
    iso = _number(tags.get(_ISO))
    if iso:
        found["iso"] = int(iso)
    return found


def told(facts):
    """Return the facts on the aperture in words; empty where the f-number is unknown."""
    if "f_number" not in facts:
        return ""
    words = "f/{:g}".format(facts["f_number"])
    if "focal_length_mm" in facts:
        words += " and {:g} mm".format(facts["focal_length_mm"])
    return words


def _tags(image):
    # GExiv2 is not installed everywhere; the text form of the metadata needs no other library. It
    # may hold characters that no XML parser takes.
    metadata = image.get_metadata()
    text = metadata.serialize() if metadata is not None else None
    return {name: html.unescape(value) for name, value in _TAG.findall(text or "")}


def _number(text):
    """Return the value of "28/10" or "2.8"; None where it is none."""
    try:
        above, _, below = (text or "").split()[0].partition("/")
        return float(above) / float(below or 1)
    except (IndexError, ValueError, ZeroDivisionError):
        return None
