"""A real GIMP 3 to test in: one on this machine, or a tree that holds one.

FOCUSKIT_GIMP_TREE names the tree, default build/gimp3; entering it takes root. Where there is
neither, these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

REPOSITORY = Path(__file__).parents[2]
TREE = Path(os.environ.get("FOCUSKIT_GIMP_TREE", REPOSITORY / "build" / "gimp3"))
ENTER = TREE / "usr/local/sbin/gimp3-enter"
CONSOLES = ("gimp-console-3.2", "gimp-console-3.0", "gimp-console")
DRIVER = Path(__file__).with_name("driver.py")


def console() -> list[str] | None:
    """Return how GIMP's console is started; None where there is no GIMP 3."""
    if ENTER.exists() and os.geteuid() == 0:
        return ["gimp-console-3.0"]
    for name in CONSOLES:
        if shutil.which(name) is None:
            continue
        said = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=120)
        if " 3." in said.stdout:
            return [name]
    return None


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    here = [item for item in items if Path(item.path).parent == Path(__file__).parent]
    if here and console() is None:
        why = "there is no GIMP 3: install one, or name a tree that holds one: FOCUSKIT_GIMP_TREE"
        for item in here:
            item.add_marker(pytest.mark.skip(reason=why))


@dataclass
class Gimp:
    """GIMP with a profile of its own, below a home whose name is neither ASCII nor one word."""

    base: Path
    env: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    @property
    def home(self) -> Path:
        return self.base / "Jörg Müller"

    @property
    def profile(self) -> Path:
        return self.home / "my GIMP 3.0"

    @property
    def bridge(self) -> Path:
        return self.base / "bridge"

    @property
    def temporary(self) -> Path:
        return self.base / "tmp"

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "GIMP3_DIRECTORY": str(self.profile),
            "TMPDIR": str(self.temporary),
            "FOCUSKIT_BRIDGE_FOLDER": str(self.bridge),
            "OMP_NUM_THREADS": "2",
            "PYTHONPYCACHEPREFIX": str(self.base / "pyc"),
            **self.env,
            **env,
        }

    def command(
        self,
        program: Sequence[str],
        env: Mapping[str, str] | None = None,
        binds: Sequence[str] = (),
    ) -> list[str]:
        """Return a command that runs a program where GIMP is, with this one's profile."""
        variables = [f"{name}={value}" for name, value in self.variables(env or {}).items()]
        if not ENTER.exists():
            return ["env", *variables, *program]
        # The worker's interpreter and what it imports are those of the suite.
        folders = {self.base, REPOSITORY, Path(sys.prefix), Path(sys.base_prefix)}
        outer = [each for each in folders if not any(o in each.parents for o in folders)]
        bound = [word for each in outer for word in ("--bind", f"{each}:{each}")]
        bound += [word for each in binds for word in ("--bind", each)]
        set_ = [word for each in variables for word in ("--env", each)]
        return [str(ENTER), *bound, *set_, "--", *program]

    def start(
        self, jobs: Sequence[Mapping[str, Any]], env: Mapping[str, str] | None = None
    ) -> tuple[subprocess.Popen[str], Path]:
        """Start GIMP on some jobs; return it and the folder of its answers."""
        self.runs += 1
        folder = self.base / f"run-{self.runs}"
        folder.mkdir()
        (folder / "jobs.json").write_text(json.dumps(list(jobs)), "utf-8")
        body = DRIVER.read_text("utf-8") + f"\nmain({str(folder)!r})\n"
        (folder / "body.py").write_text(body, "utf-8")
        code = f"exec(compile(open({str(folder / 'body.py')!r}).read(), 'driver', 'exec'))"
        words = [*(console() or ["gimp"]), "--no-interface", "--batch-interpreter=python-fu-eval"]
        command = self.command([*words, "-b", code, "--quit"], env)
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return process, folder

    def run(
        self,
        jobs: Sequence[Mapping[str, Any]],
        env: Mapping[str, str] | None = None,
        *,
        timeout_s: float = 600,
    ) -> list[Answer]:
        """Do jobs in one GIMP; return an answer for each."""
        process, folder = self.start(jobs, env)
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        return answers(folder, len(jobs), said)


@dataclass
class Answer:
    """What came of one job."""

    found: dict[str, Any]

    @property
    def ok(self) -> bool:
        return bool(self.found["status"] == "SUCCESS")

    @property
    def error(self) -> str:
        return str(self.found["error"])

    @property
    def layers(self) -> list[dict[str, Any]]:
        return list(self.found["layers"])

    @property
    def channels(self) -> list[dict[str, Any]]:
        return list(self.found["channels"])

    def __getitem__(self, name: str) -> Any:
        return self.found[name]


def answers(folder: Path, count: int, said: str) -> list[Answer]:
    found = []
    for number in range(count):
        path = folder / f"answer-{number}.json"
        assert path.exists(), f"GIMP gave no answer to job {number}:\n{said[-4000:]}"
        answer = json.loads(path.read_text("utf-8"))
        assert "failed" not in answer, f"{answer['failed']}\n{said[-4000:]}"
        found.append(Answer(answer))
    return found


_TYPES = {
    "u8": (np.uint8, 255.0),
    "u16": (np.uint16, 65535.0),
    "u32": (np.uint32, 4294967295.0),
    "half": (np.float16, 1.0),
    "float": (np.float32, 1.0),
    "double": (np.float64, 1.0),
}


def pixels(dump: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the samples that the driver wrote down as (H, W, C), 1 = full scale."""
    # Such as "R'G'B'A u8", with the name of the colour space behind it.
    model, kind = str(dump["format"]).split("-space-")[0].split("-")[0].rsplit(" ", 1)
    dtype, full = _TYPES[kind]
    data = np.fromfile(str(dump["file"]), dtype)
    assert model, dump
    return data.reshape(dump["height"], dump["width"], -1).astype(np.float64) / full


@pytest.fixture(scope="session")
def gimp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gimp]:
    """A GIMP with the plug-in in its profile, beside another one."""
    made = Gimp(tmp_path_factory.mktemp("gimp"))
    for folder in (made.profile / "plug-ins" / "other", made.temporary):
        folder.mkdir(parents=True)
    made.bridge.mkdir(mode=0o700)
    (made.profile / "plug-ins" / "other" / "notes.txt").write_text("mine", "utf-8")
    installed = focuskit("gimp", "install", "--profile", str(made.profile))
    assert installed.returncode == 0, installed.stderr
    yield made
    stop_worker(made.bridge)


def focuskit(*words: str | Path, env: Mapping[str, str] | None = None) -> Any:
    """Run the command line, as a user would."""
    command = [sys.executable, "-m", "focuskit", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, env={**os.environ, **(env or {})}
    )


def worker(folder: Path) -> int | None:
    """Return the process number of the worker of a bridge's folder if there is one."""
    try:
        pid = int(json.loads((folder / "address.json").read_text("utf-8"))["pid"])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


def stop_worker(folder: Path) -> None:
    pid = worker(folder)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
