"""What a client asks for, checked before it is believed."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args, get_type_hints

from focuskit.bridge.folders import check_call_folder, plain_name
from focuskit.errors import InputError, PhotoTooLargeError, RangeError
from focuskit.photo import Exif

__all__ = ["DEFAULT_TIME_LIMIT_S", "Call", "Dtype", "Picture", "named_files", "read_call"]
__all__ += ["time_limit_s"]

Dtype = Literal["u8", "u16", "f32"]

DEFAULT_TIME_LIMIT_S = 900.0
_MOST_SIDE = 262_144
# What a script may tell of a shot; the rest of EXIF is for files.
_FACT_KINDS: tuple[type, ...] = (str, float, int)


@dataclass(frozen=True, slots=True)
class Picture:
    """Samples in a file: row by row, top left first, interleaved, little-endian, no header.

    Attributes:
        file: plain name in the call's folder.
        width: in pixels.
        height: in pixels.
        channels: 1 = grey, 3 = RGB.
        dtype: "u8" and "u16" with white at full scale, "f32" with white at 1.
        profile: plain name of a file with the ICC profile; None = sRGB.
        linear: whether samples are linear light, whatever the profile's curve says.
    """

    file: str
    width: int
    height: int
    channels: int
    dtype: Dtype
    profile: str | None = None
    linear: bool = False

    def said(self, file: str) -> dict[str, Any]:
        """Return it as a message says it, under another file's name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"file": file}


@dataclass(frozen=True, slots=True)
class Call:
    """One operation on one picture.

    Attributes:
        operation: its name.
        parameters: as they were given.
        picture: what to work on.
        mask: white = may not change.
        map: white = in focus.
        exif: what the client knows of the shot.
        folder: where the files are.
        scale: size of the picture / of the whole one, in (0, 1].
    """

    operation: str
    parameters: Mapping[str, Any]
    picture: Picture
    mask: Picture | None
    map: Picture | None
    exif: Exif
    folder: Path
    scale: float


def read_call(message: Mapping[str, Any], max_megapixels: float) -> Call:
    """Return what a message of type "run" asks for.

    Args:
        message: as it arrived.
        max_megapixels: larger pictures are refused.

    Raises:
        InputError: something in it cannot be.
    """
    operation, parameters = message.get("operation"), message.get("parameters") or {}
    if not isinstance(operation, str):
        raise InputError(f"A call names its operation, found {operation!r}.")
    if not isinstance(parameters, dict):
        raise InputError(f"parameters must be an object of names and values, found {parameters!r}.")
    folder = check_call_folder(message.get("folder"))
    scale = _number(message, "scale", 1.0)
    if not 0 < scale <= 1:
        raise RangeError(f"scale must be above 0 and at most 1, found {scale:g}.")
    picture = _picture(message, "picture", max_megapixels)
    if picture is None:
        raise InputError("A call needs a picture, and this one has none.")
    return Call(
        operation,
        {name: value for name, value in parameters.items() if value is not None},
        picture,
        _grey(message, "mask", picture, max_megapixels),
        _grey(message, "map", picture, max_megapixels),
        _exif(message.get("facts")),
        folder,
        scale,
    )


def time_limit_s(message: Mapping[str, Any]) -> float:
    """Return how long a call may be worked on.

    Raises:
        InputError: it is no number above 0.
    """
    limit = _number(message, "time_limit_s", DEFAULT_TIME_LIMIT_S)
    if limit <= 0:
        raise RangeError(f"time_limit_s must be above 0, found {limit:g}.")
    return limit


def named_files(message: Mapping[str, Any]) -> set[str]:
    """Return the plain names of the files that a message speaks of, whatever else is wrong."""
    found: set[str] = set()
    for key in ("picture", "mask", "map"):
        told = message.get(key)
        if isinstance(told, dict):
            found |= {each for each in (told.get("file"), told.get("profile")) if plain_name(each)}
    return found


def _number(message: Mapping[str, Any], key: str, default: float) -> float:
    value = message.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{key} must be a number, found {value!r}.")
    return float(value)


def _grey(
    message: Mapping[str, Any], key: str, picture: Picture, max_megapixels: float
) -> Picture | None:
    found = _picture(message, key, max_megapixels)
    if found is None:
        return None
    if found.channels != 1:
        raise InputError(f"The {key} must have 1 channel, found {found.channels}.")
    if (found.width, found.height) != (picture.width, picture.height):
        raise InputError(
            f"The {key} has {found.width}×{found.height} pixels, its picture "
            f"{picture.width}×{picture.height}: they must be of one size."
        )
    return found


def _picture(message: Mapping[str, Any], key: str, max_megapixels: float) -> Picture | None:
    told = message.get(key)
    if told is None:
        return None
    if not isinstance(told, dict):
        raise InputError(f"The {key} must be an object with file, width and so on, found {told!r}.")
    width, height = (_side(key, side, told.get(side)) for side in ("width", "height"))
    if width * height > max_megapixels * 1e6:
        raise PhotoTooLargeError(
            f"The {key} has {width} × {height} = {width * height / 1e6:.3g} megapixels, the limit "
            f"is {max_megapixels:g}; the variable FOCUSKIT_MAX_MEGAPIXELS raises it."
        )
    channels, dtype, linear = told.get("channels"), told.get("dtype"), told.get("linear", False)
    if channels not in (1, 3) or isinstance(channels, bool):
        raise InputError(
            f"The {key} must have 1 channel (grey) or 3 (RGB), found {channels!r}: alpha stays "
            "with the editor, and other kinds must be converted first."
        )
    if not isinstance(dtype, str) or dtype not in get_args(Dtype):
        raise InputError(f"The {key}'s dtype must be u8, u16 or f32, found {dtype!r}.")
    if not isinstance(linear, bool):
        raise InputError(f"The {key}'s linear must be true or false, found {linear!r}.")
    return Picture(
        _name(key, told.get("file")),
        width,
        height,
        channels,
        cast(Dtype, dtype),
        None if told.get("profile") is None else _name(f"{key}'s profile", told["profile"]),
        linear,
    )


def _side(key: str, side: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_SIDE:
        raise InputError(f"The {key}'s {side} must be a whole number from 1 on, found {value!r}.")
    return value


def _name(what: str, value: Any) -> str:
    if not plain_name(value):
        raise InputError(
            f"The {what} must be the name of a file in the call's folder, without / or .., "
            f"found {value!r}."
        )
    return value


def _exif(told: Any) -> Exif:
    """Return the facts that are of the right kind; what a camera left out is told as null."""
    if told is None:
        return Exif()
    if not isinstance(told, dict):
        raise InputError(f"facts must be an object of names and values, found {told!r}.")
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(Exif).items():
        kind = next((each for each in get_args(hint) if each is not types.NoneType), None)
        value = told.get(name)
        if kind not in _FACT_KINDS or value is None:
            continue
        if kind is str:
            found[name] = _fact(name, value, isinstance(value, str), "text")
        else:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            found[name] = kind(_fact(name, value, is_number and math.isfinite(value), "a number"))
    for name in ("f_number", "focal_length_mm", "focal_length_35mm", "sensor_width_mm"):
        # Manual lenses are written down as f/0.
        if found.get(name, 1.0) <= 0:
            del found[name]
    return Exif(**found)


def _fact(name: str, value: Any, fits: bool, wanted: str) -> Any:
    if not fits:
        raise InputError(f"The fact {name} must be {wanted}, found {value!r}.")
    return value
