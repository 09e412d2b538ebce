"""Models that other people trained: too special to ship, fetched once when asked for."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_data_path

from focuskit.errors import OutputError, UnknownNameError, WeightsError

__all__ = ["MODELS", "Model", "get_model", "model_path", "models_folder", "named"]

_FOLDER_VARIABLE = "FOCUSKIT_MODELS"
_TIMEOUT_S = 30
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Model:
    """A file that can be fetched.

    Attributes:
        name: what people call it.
        file: what it is called on disk.
        url: where its makers publish it.
        sha256: of the file, hexadecimal.
        size: in bytes.
        licence: SPDX.
        summary: what it is good for.
    """

    name: str
    file: str
    url: str
    sha256: str
    size: int
    licence: str
    summary: str


# Size and checksum are those of the LFS pointer in OpenCV Zoo's repository.
MODELS: tuple[Model, ...] = (
    Model(
        "yunet",
        "face_detection_yunet_2023mar.onnx",
        "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
        "face_detection_yunet/face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        232_589,
        "MIT",
        "faces and eyes for culling, also from the side and small",
    ),
)


def models_folder() -> Path:
    """Return the folder for fetched models: FOCUSKIT_MODELS, else the system's data folder."""
    given = os.environ.get(_FOLDER_VARIABLE, "").strip()
    return Path(given) if given else user_data_path("focuskit", appauthor=False) / "models"


def named(name: str) -> Model:
    """Return the model of that name.

    Raises:
        UnknownNameError: there is none.
    """
    for model in MODELS:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in MODELS)
    raise UnknownNameError(f"There is no model called {name!r}; there is {known}.")


def model_path(name: str) -> Path | None:
    """Return where a model lies, or None if it has not been fetched.

    Raises:
        WeightsError: what lies there is not what its makers published.
        UnknownNameError: there is no such model.
    """
    return _checked(name, models_folder())


@cache
def _checked(name: str, folder: Path) -> Path | None:
    model = named(name)
    path = folder / model.file
    if not path.is_file():
        return None
    try:
        found = _sha256(path)
    except OSError as exc:
        raise WeightsError(
            f"The model {path} cannot be read ({exc.strerror}); change its permissions or fetch it "
            f"again: focuskit models get {name} --overwrite."
        ) from exc
    if found != model.sha256:
        raise WeightsError(
            f"The model {path} is not the one that was published: its SHA-256 is {found[:12]}…, "
            f"expected {model.sha256[:12]}…. Fetch it again: focuskit models get {name} "
            "--overwrite."
        )
    return path


def get_model(
    model: Model, *, overwrite: bool = False, progress: Callable[[int], None] | None = None
) -> Path:
    """Fetch a model, going on where an earlier attempt stopped, and check it.

    Args:
        model: which.
        overwrite: fetch it again even if it is there.
        progress: called with the bytes that are there.

    Returns:
        Where it lies now; it is put there complete and checked, or not at all.

    Raises:
        OutputError: the folder cannot be written to.
        WeightsError: it cannot be fetched, or is not what was published.
    """
    folder = models_folder()
    path, part = folder / model.file, folder / f"{model.file}.part"
    try:
        if path.is_file() and not overwrite and _sha256(path) == model.sha256:
            return path
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(model, part, progress)
        found = _sha256(part)
        if found != model.sha256:
            part.unlink()
            raise WeightsError(
                f"What {model.url} sent is not {model.file}: its SHA-256 is {found[:12]}…, "
                f"expected {model.sha256[:12]}…. It was thrown away; try again later or from "
                "another network."
            )
        os.replace(part, path)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as exc:
        why = getattr(exc, "reason", None) or exc
        raise WeightsError(
            f"{model.name} could not be fetched from {model.url} ({why}). Repeat the command to "
            f"go on, or put the file {model.file} into {folder} yourself."
        ) from exc
    except OSError as exc:
        raise OutputError(
            f"{model.file} cannot be written to {folder} ({exc.strerror or exc}); free some space "
            f"or name another folder in {_FOLDER_VARIABLE}."
        ) from exc
    _checked.cache_clear()
    return path


def _fetch(model: Model, part: Path, progress: Callable[[int], None] | None) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if have >= model.size:
        # It is whole, or something else; the checksum tells the first, the second starts anew.
        if have == model.size and _sha256(part) == model.sha256:
            return
        have = 0
    request = urllib.request.Request(model.url, headers={"User-Agent": "focuskit"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with _answer(request) as answer:
        # A server may send all of it although a part was asked for.
        have = have if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        with part.open("ab" if have else "wb") as file:
            while chunk := answer.read(_CHUNK):
                have += len(chunk)
                file.write(chunk)
                if have > model.size:
                    # The checksum will say so; a stream without an end is not read to its end.
                    return
                if progress is not None:
                    progress(have)
    if have < model.size:
        raise http.client.IncompleteRead(b"", model.size - have)


def _answer(request: urllib.request.Request) -> http.client.HTTPResponse:
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        refused = exc.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if not refused or not request.has_header("Range"):
            raise
        # What is there is longer than what the server has: it is something else.
        exc.close()
        request.remove_header("Range")
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    found: http.client.HTTPResponse = answer
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
