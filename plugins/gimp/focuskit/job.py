"""One call of the worker: its private folder, its pictures, and a second try if the worker dies."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import signal
import sys
import tempfile
import threading
from dataclasses import dataclass

import client
import starting

TIME_LIMIT_S = 3600.0

_folders = set()
_BYTES = {"u8": 1, "u16": 2, "f32": 4}


class JobError(Exception):
    """The work failed; the text is for the user.

    Attributes:
        cancelled: whether it was the user's wish.
    """

    def __init__(self, text, cancelled=False):
        super().__init__(text)
        self.cancelled = cancelled


@dataclass
class Picture:
    """Samples as the bridge wants them.

    Attributes:
        strips: bytes of some rows each, from the top, interleaved.
        width: in pixels.
        height: in pixels.
        channels: 1 or 3.
        dtype: "u8", "u16" or "f32".
        profile: bytes of an ICC profile; None = sRGB.
        linear: whether samples are linear light.
    """

    strips: list
    width: int
    height: int
    channels: int
    dtype: str
    profile: bytes | None = None
    linear: bool = False


class Result:
    """The worker's answer, with its pictures read."""

    def __init__(self, answer, pictures):
        self.pictures = pictures
        self.regions = answer.get("regions") or []
        self.facts = answer.get("facts") or {}
        self.notes = answer.get("notes") or []


class Caller:
    """Runs calls, one after the other; `cancel` may come from another thread."""

    def __init__(self, name):
        self._name = name
        self._connection = None
        self._lock = threading.Lock()
        self._cancelled = False

    def run(self, operation, parameters, picture, told, **more):
        """Return the Result of one operation.

        Args:
            operation: its name in docs/bridge.md.
            parameters: its parameters.
            picture: what to work on.
            told: called with (share or None, text).
            more: facts (a dict), scale, map (a Picture of one channel), limit_s.

        Raises:
            JobError: with the text for the user.
        """
        self._cancelled = False
        for trial in (1, 2):
            try:
                return self._tried(operation, parameters, picture, told, more)
            except client.Broken as exc:
                self.close()
                if self._cancelled:
                    raise JobError("Cancelled.", cancelled=True) from exc
                told(None, "Starting focuskit again…")
            except client.WorkerError as exc:
                if exc.kind == "WorkerDiedError" and trial == 1:
                    continue
                raise JobError(str(exc), cancelled=exc.kind == "Cancelled") from exc
            except starting.CannotStart as exc:
                raise JobError(str(exc)) from exc
            except OSError as exc:
                raise JobError(_no_room(exc)) from exc
        raise JobError(
            "focuskit's worker ended twice during this work, perhaps for want of memory; "
            f"{starting.log_file()} may say why."
        )

    def operations(self, told):
        """Return the worker's operations with their parameters.

        Raises:
            JobError: with the text for the user.
        """
        try:
            return self._connected(told).describe()
        except client.Broken:
            return {}
        except (client.WorkerError, starting.CannotStart) as exc:
            raise JobError(str(exc)) from exc

    def cancel(self):
        """Stop the call under way; its `run` raises a cancelled JobError."""
        self._cancelled = True
        self.close()

    def stop(self):
        """Ask the worker to end, and end the connection."""
        if self._connection is not None:
            try:
                self._connection.stop()
            except client.Broken:
                pass
        self.close()

    def close(self):
        """End the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tried(self, operation, parameters, picture, told, more):
        connection = self._connected(told)
        folder = tempfile.mkdtemp(prefix="focuskit-", dir=starting.jobs_folder())
        _folders.add(folder)
        try:
            request = {"parameters": parameters, "folder": folder}
            request["picture"] = _written(folder, "picture", picture)
            if more.get("map") is not None:
                request["map"] = _written(folder, "map", more["map"])
            for key in ("facts", "scale"):
                if more.get(key) is not None:
                    request[key] = more[key]
            limit_s = more.get("limit_s") or TIME_LIMIT_S
            answer = connection.run(operation, request, limit_s, told)
            pictures = {
                name: _read(folder, about) for name, about in (answer.get("pictures") or {}).items()
            }
            return Result(answer, pictures)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _folders.discard(folder)

    def _connected(self, told):
        with self._lock:
            if self._connection is not None:
                return self._connection
        made = client.connected(self._name, told)
        with self._lock:
            self._connection = made
        return made


def clean_up_always():
    """Remove job folders too when this process is told to end."""
    atexit.register(_remove_folders)
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _ended)


def _ended(number, _frame):
    _remove_folders()
    os._exit(128 + number)


def _remove_folders():
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def _written(folder, name, picture):
    if sys.byteorder == "big" and picture.dtype != "u8":
        raise JobError("focuskit's plug-in needs a little-endian machine for more than 8 bits.")
    with open(os.path.join(folder, name + ".raw"), "wb") as file:
        file.writelines(picture.strips)
    about = {
        "file": name + ".raw",
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "dtype": picture.dtype,
        "profile": None,
        "linear": picture.linear,
    }
    if picture.profile:
        with open(os.path.join(folder, name + ".icc"), "wb") as file:
            file.write(picture.profile)
        about["profile"] = name + ".icc"
    return about


def _read(folder, about):
    name = os.path.basename(str(about["file"]))
    width, height = int(about["width"]), int(about["height"])
    channels, dtype = int(about["channels"]), str(about["dtype"])
    with open(os.path.join(folder, name), "rb") as file:
        data = file.read()
    if len(data) != width * height * channels * _BYTES[dtype]:
        raise JobError(f"focuskit's answer is incomplete: {name} is too short.")
    linear = bool(about.get("linear"))
    return Picture([data], width, height, channels, dtype, None, linear)


def _no_room(exc):
    folder = starting.jobs_folder() if exc.errno != errno.EACCES else exc.filename
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of the temporary folder {folder} is full: a picture needs up to three times "
            "its uncompressed size there. Make room, or set TMPDIR to another folder."
        )
    return f"The temporary folder {folder} cannot be used: {exc.strerror or exc}."
