from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from focuskit.batch.catalog import CATALOG_NAME
from focuskit.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def results_in(folder: Path) -> list[str]:
    """Names of what a command wrote, below the folder; not what it keeps to know that by."""
    files = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(str(path.relative_to(folder)) for path in files)
    return [name for name in names if not name.startswith(CATALOG_NAME)]


@pytest.fixture
def focuskit(tmp_path: Path) -> Run:
    """Run the installed command in an empty folder; gives what it printed and its exit code."""
    command = Path(sys.executable).parent / "focuskit"
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)

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


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The same in this process, for commands that start no workers: no second for every start."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> object:
        words = ["focuskit", *map(os.fspath, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, left.value.code or 0, said.out, said.err)

    return run
