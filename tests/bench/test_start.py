from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.slow
def test_help_starts_in_under_half_the_time_of_importing_torch() -> None:
    def seconds(*command: str) -> float:
        best = 1e9
        for _ in range(3):
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            best = min(best, time.perf_counter() - started)
        return best

    entry = str(Path(sys.executable).parent / "focuskit")

    assert seconds(entry, "--help") < seconds(sys.executable, "-c", "import torch") / 2
