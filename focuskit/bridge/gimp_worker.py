"""Whether a Python has focuskit, and whether the worker does what the plug-in asks of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from focuskit.bridge.gimp_programs import clean_environment
from focuskit.errors import BridgeError

__all__ = ["focuskit_of", "round_trip"]

_IMPORT_S = 60
_TRIP_S = 240


def focuskit_of(python: Path) -> str:
    """Return the version of focuskit that a Python has.

    Raises:
        BridgeError: there is no such program, or it has no focuskit.
    """
    code = "import focuskit; print(focuskit.__version__)"
    install = f"'{python}' -m pip install focuskit"
    if not os.access(python, os.X_OK) or python.is_dir():
        raise BridgeError(
            f"{python} is not there, or no program: install focuskit into another Python."
        )
    try:
        # Elsewhere than here, where a folder focuskit would be taken for the package.
        answer = _run([str(python), "-c", code], python.parent, _IMPORT_S)
    except (OSError, subprocess.SubprocessError) as exc:
        raise BridgeError(
            f"{python} could not be asked for focuskit ({exc}): install focuskit into another one."
        ) from exc
    said = answer.stdout.strip()
    if answer.returncode or not said:
        why = _last_line(answer.stderr)
        raise BridgeError(f"{python} cannot load focuskit ({why}): {install}.")
    return said.splitlines()[-1]


def round_trip(python: Path, plug_in: Path) -> str:
    """Send a test picture through a plug-in's own code to the worker and back; says how long.

    A worker that had to be started is stopped again.

    Args:
        python: runs the worker.
        plug_in: the plug-in's folder.

    Raises:
        BridgeError: it did not come back.
    """
    command = [sys.executable, "-m", "focuskit.bridge.gimp_trip", str(plug_in)]
    try:
        answer = _run(command, python.parent, _TRIP_S)
    except subprocess.TimeoutExpired as exc:
        raise BridgeError(
            f"A test picture did not come back within {_TRIP_S} s: end the worker (its process id "
            "is in address.json of the folder that `focuskit bridge --where` prints), and repeat."
        ) from exc
    try:
        said = json.loads(answer.stdout)
    except ValueError as exc:
        raise BridgeError(
            f"The plug-in in {plug_in} does not load ({_last_line(answer.stderr)}): run `focuskit "
            "gimp install`."
        ) from exc
    if "error" in said:
        raise BridgeError(
            f"GIMP would show “{said['error']}” To see what the worker says, run it by hand: "
            f"'{python}' -m focuskit bridge"
        )
    seconds = said["seconds"]
    how = f"started in {seconds['start']:.1f} s" if said["started"] else "already running"
    return (
        f"{how}; test picture there and back in {seconds['first']:.2f} s, again in "
        f"{seconds['later']:.2f} s"
    )


def _run(command: Sequence[str], folder: Path, limit_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        # What is asked must not leave compiled files behind in a profile.
        env=clean_environment(PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=limit_s,
        check=False,
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it said nothing"
