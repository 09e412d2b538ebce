"""Putting back what was done to a library, from the manifest of its steps."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from focuskit.batch.files import move_file, same_content, write_file
from focuskit.batch.library import Problem
from focuskit.batch.manifest import MANIFEST_NAME, Manifest, Step, content_digest
from focuskit.errors import FocuskitError, InputError, OutputError, OutputExistsError

__all__ = ["Stopped", "carry_out", "latest_manifest", "moves_in", "put_back", "undo"]

_KINDS = ("write", "mkdir", "move", "copy", "hardlink", "symlink", "cancelled")


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why the steps of a shot were not done.

    Attributes:
        step: the one that failed; those before it are put back.
        error: what came of it.
        left: sentences on steps that could not be put back; empty if all are.
    """

    step: Step
    error: OSError | FocuskitError
    left: str


def carry_out(
    steps: Sequence[Step], do: Callable[[Step], None], manifest: Manifest
) -> Stopped | None:
    """Do all steps of one shot or none, each written down before it is done.

    Args:
        steps: in their order.
        do: does one, or raises OSError or FocuskitError and has done nothing.
        manifest: grows by them; what was put back is cancelled there.

    Returns:
        None if all are done.
    """
    begun: list[Step] = []
    for step in steps:
        try:
            manifest.add(step)
            do(step)
        except (OSError, FocuskitError) as exc:
            # It did nothing: what lies at its place is another's.
            left = _cancel(step, manifest)
            for each in reversed(begun):
                left += _go_back(each) or _cancel(each, manifest)
            return Stopped(step, exc, left)
        begun.append(step)
    return None


def latest_manifest(path: Path) -> Path:
    """Return the manifest that a path names: itself, or the last in a folder that is not undone.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        found = [
            (int(match[1]), path / name)
            for name in os.listdir(path)
            if (match := MANIFEST_NAME.fullmatch(name)) and not match[2]
        ]
        if found:
            return max(found)[1]
        raise InputError(
            f"There is nothing to undo in {path}: it holds no focuskit-undo-*.jsonl that is not "
            "undone yet."
        )
    if not path.is_file():
        raise InputError(f"{path} does not exist; name a manifest, or the folder of results.")
    return path


def moves_in(folder: Path) -> dict[Path, Path]:
    """Return where files were moved to by what was done and not undone, by where they were.

    Args:
        folder: of results, with its manifests; one that is damaged tells nothing.
    """
    found = [
        (int(match[1]), folder / name)
        for name in os.listdir(folder)
        if (match := MANIFEST_NAME.fullmatch(name)) and not match[2]
    ]
    moved: dict[Path, Path] = {}
    for _, manifest in sorted(found):
        with suppress(InputError):
            for step in _steps(manifest):
                if step["step"] == "move":
                    moved[Path(step["source"])] = Path(step["target"])
    return moved


def undo(manifest: Path) -> tuple[int, list[Problem]]:
    """Put everything back, the last step first; can be repeated.

    Steps that were not done, or are undone already, are passed over. The manifest is called
    X.undone.jsonl afterwards, unless something could not be put back.

    Returns:
        How many files were put back, and what could not be.

    Raises:
        InputError: it is no manifest.
        OutputError: the manifest cannot be renamed.
    """
    done, problems = 0, []
    for step in reversed(_steps(manifest)):
        name = str(step.get("path") or step.get("source"))
        try:
            done += put_back(step)
        except OutputError as exc:
            problems.append(Problem(name, str(exc)))
        except OSError as exc:
            problems.append(
                Problem(name, f"{name} could not be put back ({exc.strerror}); repeat the undo.")
            )
    found = MANIFEST_NAME.fullmatch(manifest.name)
    if not problems and found and not found[2]:
        try:
            manifest.rename(manifest.with_suffix(".undone.jsonl"))
        except OSError as exc:
            raise OutputError(
                f"Everything is put back, but {manifest} could not be renamed ({exc.strerror})."
            ) from exc
    return done, problems[::-1]


def put_back(step: Step) -> bool:
    """Undo one step; return whether there was anything to undo.

    Raises:
        OutputError: somebody changed what it made.
        OSError: the system does not allow it.
    """
    kind = step["step"]
    if kind == "write":
        return _put_back_write(step)
    if kind == "mkdir":
        with suppress(OSError):
            # Only if it is empty: whatever lies there now is not ours.
            os.rmdir(step["path"])
        return False
    source, target = Path(step["source"]), Path(step["target"])
    _sweep(step["part"], source.parent, target.parent)
    if kind == "move":
        return _put_back_move(source, target, step["part"])
    return _put_back_copy(step, source, target)


def _go_back(step: Step) -> str:
    try:
        put_back(step)
    except (OSError, OutputError) as exc:
        return f" {step.get('target') or step['path']} could not be put back: {exc}"
    return ""


def _cancel(step: Step, manifest: Manifest) -> str:
    if manifest.path is not None and not manifest.broken:
        try:
            manifest.add({"step": "cancelled", "part": step["part"]})
        except OutputError as exc:
            return f" {exc}"
    return ""


def _put_back_write(step: Step) -> bool:
    path, part = Path(step["path"]), step["part"]
    packed = step["before"]
    before = None if packed is None else zlib.decompress(base64.b64decode(packed))
    _check_there(path.parent)
    _sweep(part, path.parent)
    now = path.read_bytes() if path.is_file() else None
    if now == before:
        return False
    if now is None:
        raise OutputError(
            f"{path} is gone: somebody moved it since. Undo what was done later first, or put it "
            "there again."
        )
    if content_digest(now) != step["after"]:
        raise OutputError(
            f"{path} was changed by someone since and is left as it is; take out what focuskit "
            "wrote by hand."
        )
    if before is None:
        path.unlink()
    else:
        write_file(path, before, part, mode=step["mode"], mtime_ns=step["mtime_ns"], replace=True)
    return True


def _put_back_move(source: Path, target: Path, part: str) -> bool:
    at_source, at_target = os.path.lexists(source), os.path.lexists(target)
    if at_source and not at_target:
        return False
    if not at_target:
        raise OutputError(f"{target} is gone: somebody moved it since, so it cannot be put back.")
    if at_source:
        # Stopped half-way: what was made at the target is a copy, or a name claimed.
        if not same_content(source, target) and target.stat().st_size:
            raise OutputError(
                f"{target} cannot go back to {source}, where another file lies now; both are left "
                "as they are."
            )
        target.unlink()
        return True
    _check_there(source.parent)
    try:
        move_file(target, source, part)
    except OutputExistsError as exc:
        raise OutputError(f"{target} cannot go back: {exc}") from exc
    return True


def _put_back_copy(step: Step, source: Path, target: Path) -> bool:
    if not os.path.lexists(target):
        return False
    kind = step["step"]
    if kind == "symlink":
        ours = target.is_symlink() and os.readlink(target) == str(source)
    elif kind == "hardlink":
        ours = source.exists() and os.path.samefile(source, target)
    else:
        ours = not target.is_symlink() and (
            same_content(source, target) or not target.stat().st_size
        )
    if not ours:
        raise OutputError(f"{target} was changed by someone since and is left as it is.")
    target.unlink()
    return True


def _check_there(folder: Path) -> None:
    # Made anew it would hide that the rest of the library lies elsewhere.
    if not folder.is_dir():
        raise OutputError(
            f"The folder {folder} is gone: was the library moved or renamed? Put it back there, or "
            "make that folder again, and repeat."
        )


def _sweep(part: str, *folders: Path) -> None:
    """Take away what a step that was cut off left half written."""
    if not re.fullmatch(r"\.focuskit-[0-9a-f]{16}\.part", part):
        raise OutputError(f"The manifest names {part!r} as a temporary file, which it is not.")
    for folder in folders:
        (folder / part).unlink(missing_ok=True)


def _steps(manifest: Path) -> list[Step]:
    try:
        lines = manifest.read_bytes().split(b"\n")
        # A line without its end was not whole when the process died, and its step not begun.
        read = [json.loads(line) for line in lines[:-1] if line]
        if not read and MANIFEST_NAME.fullmatch(manifest.name):
            # The process died before it had written the first line, and so before the first step.
            return []
        whole = all(isinstance(each, dict) for each in read) and "what" in read[0]
    except OSError as exc:
        raise InputError(f"{manifest} cannot be read ({exc.strerror}).") from exc
    except (ValueError, IndexError):
        whole, read = False, []
    if not whole or not all(_is_step(step) for step in read[1:]):
        raise InputError(f"{manifest} is no manifest of focuskit, or it is damaged.")
    cancelled = {step["part"] for step in read[1:] if step["step"] == "cancelled"}
    return [step for step in read[1:] if step.get("part") not in cancelled]


def _is_step(step: Step) -> bool:
    keys = {
        "write": ("path", "before", "mtime_ns", "mode", "after", "part"),
        "mkdir": ("path",),
        "cancelled": ("part",),
    }.get(step.get("step", ""), ("source", "target", "part"))
    return step.get("step") in _KINDS and all(key in step for key in keys)
