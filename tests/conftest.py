from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from tests.scenes import ROOT, make_scene, write_jpeg

# The machine may be busy: how long one example takes says nothing about the law.
settings.register_profile("focuskit", deadline=None)
settings.load_profile("focuskit")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos beside the checkout; a user's machine has none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real photos beside the checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def scene() -> NDArray[np.float32]:
    """A sharp scene in linear light, (480, 640, 3): discs of all sizes with fine texture."""
    return make_scene(480, 640, seed=7)


@pytest.fixture
def save_jpeg(tmp_path: Path) -> Callable[..., Path]:
    """Write a linear picture as a JPEG with EXIF; gives its path."""

    def save(
        name: str,
        rgb: NDArray[np.float32],
        *,
        taken_at: datetime | None = None,
        serial: str = "42",
        exposure_s: float = 0.01,
        folder: Path = tmp_path,
        noise: float = 0.004,
    ) -> Path:
        return write_jpeg(
            folder / name,
            rgb,
            taken_at=taken_at,
            serial=serial,
            exposure_s=exposure_s,
            noise=noise,
        )

    return save


@pytest.fixture
def moment() -> datetime:
    return datetime(2026, 5, 17, 10, 30, 0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="store what golden tests compare with anew"
    )
