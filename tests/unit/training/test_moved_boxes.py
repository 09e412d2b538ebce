from __future__ import annotations

import numpy as np
import pytest

from focuskit.detect.motion import log_spectrum
from focuskit.training.moved_boxes import BOX_KINDS, MOVED_KINDS, render_box
from tests.scenes import make_scene
from tests.unit.training._make import encoded

TEXTURES = [encoded(make_scene(90, 120, seed)) for seed in (1, 2)]


def _box(kind: str, seed: int) -> np.ndarray:
    return render_box(kind, TEXTURES, 64, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", BOX_KINDS)
def test_a_box_is_a_picture_that_its_seed_decides(kind: str) -> None:
    box = _box(kind, 1)

    assert box.shape == (64, 64)
    assert box.dtype == np.float32
    assert box.min() >= 0
    assert box.max() <= 1
    assert np.array_equal(box, _box(kind, 1))
    assert not np.array_equal(box, _box(kind, 2))


def test_shares_are_of_all_and_about_half_moved() -> None:
    assert sum(BOX_KINDS.values()) == pytest.approx(1)
    assert 0.4 < sum(BOX_KINDS[kind] for kind in MOVED_KINDS) < 0.6


def _fine_power(kind: str) -> float:
    # Between noise and what is coarse.
    bands = [log_spectrum(_box(kind, seed))[28:37, 10:18].mean() for seed in range(40)]
    return float(np.median(bands))


def test_blur_of_every_kind_takes_fine_detail() -> None:
    sharp = _fine_power("sharp")

    for kind in ("straight", "shaken", "long", "moved_and_misfocused", "misfocused"):
        assert _fine_power(kind) < sharp
    assert _fine_power("one_way_misfocused") < _fine_power("one_way_sharp")


def _lean(kind: str, seed: int) -> float:
    """How much more gradients run along one direction than across it, 0 to 1."""
    y, x = np.gradient(_box(kind, seed))
    return float(np.hypot((x * x - y * y).mean(), 2 * (x * y).mean()) / (x * x + y * y).mean())


def test_one_way_boxes_lean() -> None:
    leans = [np.median([_lean(kind, seed) for seed in range(40)]) for kind in ("sharp", "plain")]

    assert np.median([_lean("one_way_sharp", seed) for seed in range(40)]) > 2 * max(leans)
