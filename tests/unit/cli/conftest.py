from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def focuskit(tmp_path: Path) -> Run:
    """Run the installed command in an empty folder; gives what it printed and its exit code."""
    command = Path(sys.executable).parent / "focuskit"
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments: object, cwd: Path = work, **environment: str) -> object:
        return subprocess.run(
            [command, *map(os.fspath, arguments)],
            cwd=cwd,
            env=os.environ | {"PYTHONUTF8": "1", "COLUMNS": "100"} | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=240,
            check=False,
        )

    return run
