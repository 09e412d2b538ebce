from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

FOLDER = Path(__file__).parent

Compare = Callable[..., None]


@pytest.fixture
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Compare:
    """Compare a map in [0, 1] with the stored one; `pytest --update-golden` stores it anew.

    A failure leaves actual, expected and difference as pictures in the test's temporary folder.
    """

    def compare(name: str, values: NDArray[np.float32], *, tolerance: float) -> None:
        path = FOLDER / f"{name}.png"
        actual = np.rint(values * 65535).astype(np.uint16)
        if request.config.getoption("--update-golden"):
            cv2.imwrite(str(path), actual)
            return
        expected = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert expected is not None, f"{path.name} is missing; run pytest --update-golden"
        difference = np.abs(actual.astype(np.float32) - expected.astype(np.float32)) / 65535
        if difference.max() > tolerance:
            cv2.imwrite(str(tmp_path / f"{name}-actual.png"), actual)
            cv2.imwrite(str(tmp_path / f"{name}-expected.png"), expected)
            cv2.imwrite(str(tmp_path / f"{name}-difference.png"), difference * 255)
        assert difference.max() <= tolerance, f"off by {difference.max():.3f}; see {tmp_path}"

    return compare
