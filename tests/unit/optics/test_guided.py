from __future__ import annotations

import numpy as np
import pytest

from focuskit.errors import RangeError, ShapeError
from focuskit.optics.guided import guided_filter, guided_upsample


def _step(height: int = 40, width: int = 60) -> np.ndarray:
    guide = np.zeros((height, width), np.float32)
    guide[:, width // 2 :] = 1
    return guide


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_tiny_pictures(shape: tuple[int, int], weighted: bool) -> None:
    guide = np.full(shape, 0.5, np.float32)
    weight = np.ones(shape, np.float32) if weighted else None

    smooth = guided_filter(guide, guide, radius=20, eps=1e-3, weight=weight, subsample=4)

    assert smooth.shape == shape
    assert smooth == pytest.approx(0.5, abs=1e-5)


def test_edges_of_the_guide_stay() -> None:
    guide = _step()
    noisy = guide + np.random.default_rng(0).normal(0, 0.2, guide.shape).astype(np.float32)

    smooth = guided_filter(guide, noisy, radius=8, eps=1e-3)

    assert smooth[:, 28].mean() < 0.15
    assert smooth[:, 31].mean() > 0.85
    assert np.abs(smooth - guide).mean() < np.abs(noisy - guide).mean() / 3


def test_untrusted_values_are_filled_in_from_trusted_ones() -> None:
    guide = _step()
    values = guide * 0.8
    weight = np.ones_like(guide)
    values[10:20], weight[10:20] = 5.0, 0.0

    filled = guided_filter(guide, values, radius=12, eps=1e-4, weight=weight)

    assert filled[15, :20] == pytest.approx(0.0, abs=0.05)
    assert filled[15, 40:] == pytest.approx(0.8, abs=0.05)


def test_enlarged_edges_lie_on_the_guides() -> None:
    guide = _step(80, 124)
    small = np.asarray(guide.reshape(20, 4, 31, 4).mean(axis=(1, 3)), np.float32)

    large = guided_upsample(guide, small, radius=2, eps=1e-4)

    assert large.shape == guide.shape
    assert np.abs(large - guide).max() < 0.1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"radius": 0, "eps": 1e-3}, RangeError),
        ({"radius": 1, "eps": 0.0}, RangeError),
        ({"radius": 1, "eps": 1e-3, "subsample": 0}, RangeError),
        ({"radius": 1, "eps": 1e-3, "weight": np.ones((2, 2), np.float32)}, ShapeError),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, error: type[Exception]) -> None:
    guide = _step()
    with pytest.raises(error):
        guided_filter(guide, guide, **arguments)
