"""A dask scheduler and workers of other processes, as somebody would start them by hand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenes import ROOT

# A worker ends when its scheduler is lost; this is the least that brings it back.
_AGAIN = 'while :; do "$@"; sleep 0.5; done'


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class ByHand:
    """`dask scheduler` and `dask worker` on loopback."""

    folder: Path
    scheme: str = "tcp"
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen[bytes]:
        return self._dask(
            "scheduler", "--host", self.address, "--no-dashboard", "--no-show", prefix=()
        )

    def worker(self, *options: str, again: bool = False) -> subprocess.Popen[bytes]:
        prefix = ("sh", "-c", _AGAIN, "sh") if again else ()
        return self._dask(
            "worker", self.address, "--nthreads", "1", "--no-dashboard", "--memory-limit", "0",
            "--death-timeout", "60", "--local-directory", str(self.folder), *options,
            prefix=prefix,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def _dask(self, *words: str, prefix: tuple[str, ...]) -> subprocess.Popen[bytes]:
        dask = str(Path(sys.executable).parent / "dask")
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        log = (self.folder / f"{words[0]}-{len(self.started)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [*prefix, dask, *words],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": paths} | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process


@contextmanager
def by_hand(
    folder: Path, *, scheme: str = "tcp", environment: dict[str, str] | None = None
) -> Iterator[ByHand]:
    folder.mkdir(parents=True, exist_ok=True)
    cluster = ByHand(folder, scheme, environment or {})
    try:
        yield cluster
    finally:
        for process in cluster.started:
            cluster.end(process)
