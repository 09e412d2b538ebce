"""Raw samples in a call's folder: in as linear light, out as the editor gave them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from focuskit.bridge.calls import Dtype, Picture
from focuskit.bridge.folders import RESULT_PREFIX
from focuskit.color import LINEAR_CURVE, Encoding, linearise
from focuskit.errors import InputError, OutputError, PhotoUnreadableError, RangeError
from focuskit.io.icc import ProfileError, exact_encoding, needs_lut
from focuskit.io.samples import by_bands, encode_samples

__all__ = ["Samples", "grey_picture", "read_grey", "read_samples", "write_picture"]

Light = NDArray[np.float32]

_TYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "f32": np.dtype("<f4"),
}
_WHITE = {"u8": 255, "u16": 65535, "f32": 1}
_MOST_PROFILE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A picture as its editor gave it.

    Attributes:
        values: (H, W, 1 or 3) uint8, uint16 or float32, as stored.
        encoding: how they become linear light; of grey ones all curves are the same.
        picture: what the client said of them.
    """

    values: NDArray[Any]
    encoding: Encoding
    picture: Picture

    def light(self) -> Light:
        """Return (H, W, 3) linear light in the encoding's primaries."""
        light = np.empty((*self.values.shape[:2], 3), np.float32)

        def fill(rows: slice) -> None:
            # Of grey, one channel becomes three.
            light[rows] = linearise(self.values[rows], self.encoding)

        by_bands(len(light), fill)
        return light

    def of(self, light: Light, before: Light) -> NDArray[Any]:
        """Return an edited picture's samples; of pixels that did not change, the given ones.

        Args:
            light: the edited picture.
            before: what `light()` returned.
        """
        made = np.empty_like(self.values)
        channels = slice(None) if self.picture.channels == 3 else slice(1, 2)

        def fill(rows: slice) -> None:
            changed = (light[rows] != before[rows]).any(axis=2, keepdims=True)
            made[rows] = self.values[rows]
            if changed.any():
                new = np.ascontiguousarray(light[rows][..., channels])
                encoded = encode_samples(new, self.encoding, self.picture.dtype)
                np.copyto(made[rows], encoded, where=changed)

        by_bands(len(light), fill)
        return made


def read_samples(folder: Path, picture: Picture) -> Samples:
    """Read a picture and what its profile says.

    Raises:
        InputError: a file is missing, not what was announced, or no plain file; a profile is
            damaged or of another kind; there are samples that are no numbers.
    """
    encoding = _encoding(folder, picture)
    return Samples(_values(folder, picture, "picture"), encoding, picture)


def read_grey(folder: Path, picture: Picture, what: str) -> Light:
    """Read a mask or map: (H, W) float32 in [0, 1], without any curve.

    Raises:
        InputError: see `read_samples`.
    """
    values = _values(folder, picture, what)[..., 0]
    if picture.dtype != "f32":
        return np.asarray(values / np.float32(_WHITE[picture.dtype]), np.float32)
    # Brushes of floating-point editors leave the range by a rounding error.
    return np.asarray(np.clip(values, 0, 1), np.float32)


def grey_picture(folder: Path, name: str, values: NDArray[Any]) -> dict[str, Any]:
    """Write (H, W) uint8 or uint16 values and return what a message says of them."""
    height, width = values.shape
    dtype: Dtype = "u8" if values.dtype == np.uint8 else "u16"
    picture = Picture("", width, height, 1, dtype, linear=True)
    return write_picture(folder, name, values, picture)


def write_picture(
    folder: Path, name: str, values: NDArray[Any], picture: Picture
) -> dict[str, Any]:
    """Write samples and return what a message says of them.

    Raises:
        OutputError: there is no room, or the folder went away.
    """
    file = f"{RESULT_PREFIX}{name}.raw"
    data = np.ascontiguousarray(values.astype(_TYPES[picture.dtype], copy=False)).data.cast("B")
    path = folder / file
    try:
        _write(path, data)
    except OSError as exc:
        with suppress(OSError):
            path.unlink()
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        way = "free some space there" if full else "keep it until the answer is there"
        raise OutputError(
            f"The result ({len(data) / 1e6:.1f} MB) cannot be written to {folder} "
            f"({exc.strerror}): {way}."
        ) from exc
    return picture.said(file)


def _write(path: Path, data: memoryview) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flag("O_NOFOLLOW") | _flag("O_BINARY")
    descriptor = os.open(path, flags, 0o600)
    try:
        done = 0
        while done < len(data):
            done += os.write(descriptor, data[done : done + (16 << 20)])
    finally:
        os.close(descriptor)


def _values(folder: Path, picture: Picture, what: str) -> NDArray[Any]:
    kind = _TYPES[picture.dtype]
    shape = (picture.height, picture.width, picture.channels)
    wanted = picture.height * picture.width * picture.channels * kind.itemsize
    values = np.empty(shape, kind)
    with _opened(folder / picture.file, what) as file:
        found = os.fstat(file.fileno()).st_size
        if found != wanted:
            raise InputError(
                f"The {what} {picture.file} has {found} bytes, where {picture.width}×"
                f"{picture.height}×{picture.channels} {picture.dtype} take {wanted}."
            )
        _read_into(file, values.reshape(-1).data.cast("B"), what)
    if kind.kind == "f" and not np.isfinite([values.min(), values.max()]).all():
        raise RangeError(
            f"The {what} holds pixels that are no numbers (NaN or infinity): remove them in the "
            "editor, such as with its tool to clip colours."
        )
    return values.astype(kind.newbyteorder("="), copy=False)


def _encoding(folder: Path, picture: Picture) -> Encoding:
    encoding = Encoding()
    if picture.profile is not None:
        with _opened(folder / picture.profile, "colour profile") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_PROFILE_BYTES:
                raise InputError(f"The colour profile has {size / 1e6:.0f} MB, more than any has.")
            profile = bytearray(size)
            _read_into(file, memoryview(profile), "colour profile")
        encoding = _told(bytes(profile), picture)
    if picture.channels == 1:
        # Grey is grey in all primaries.
        encoding = replace(encoding, matrix=None)
    if picture.linear:
        encoding = replace(encoding, curves=(LINEAR_CURVE,) * 3)
    return encoding


def _told(profile: bytes, picture: Picture) -> Encoding:
    convert = "convert the picture to sRGB, Adobe RGB or another matrix profile first"
    if needs_lut(profile):
        raise InputError(
            "The colour profile describes its colours by tables, which cannot be undone exactly: "
            f"{convert}."
        )
    try:
        encoding = exact_encoding(profile)
    except ProfileError as exc:
        raise InputError(f"The colour profile {exc}: {convert}, or assign another one.") from exc
    grey = profile[16:20] == b"GRAY"
    if grey and picture.channels == 3:
        raise InputError(f"The colour profile is for grey, the picture has colours: {convert}.")
    if picture.channels == 1 and len(set(encoding.curves)) > 1:
        raise InputError(
            "The colour profile has three curves, the picture one channel: convert it."
        )
    return encoding


@contextmanager
def _opened(path: Path, what: str) -> Iterator[BinaryIO]:
    """Yield a plain file; nothing else is opened, for reading a pipe or a device may never end."""
    flags = os.O_RDONLY | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK") | _flag("O_BINARY")
    try:
        if path.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
        file = os.fdopen(os.open(path, flags), "rb", buffering=0)
    except (OSError, ValueError) as exc:
        raise _unreadable(path, what, str(getattr(exc, "strerror", None) or exc)) from exc
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _unreadable(path, what, "it is no plain file")
        yield file


def _unreadable(path: Path, what: str, why: str) -> PhotoUnreadableError:
    return PhotoUnreadableError(
        f"The {what} {path} cannot be read ({why}): the editor must write it before it asks."
    )


def _read_into(file: BinaryIO, target: memoryview, what: str) -> None:
    done = 0
    while done < len(target):
        try:
            count = file.readinto(target[done:])  # type: ignore[attr-defined]
        except OSError as exc:
            raise PhotoUnreadableError(f"The {what} cannot be read ({exc.strerror}).") from exc
        if not count:
            raise PhotoUnreadableError(
                f"The {what} ended after {done} of {len(target)} bytes: it changed while it was "
                "read."
            )
        done += count


def _flag(name: str) -> int:
    return int(getattr(os, name, 0))
