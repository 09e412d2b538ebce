from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.cull import SCORERS, Evidence, gather, measure
from focuskit.cull.subject import Region
from focuskit.errors import InputError
from focuskit.optics.psf import motion_psf
from tests.scenes import as_photo, blurred, make_scene

ALL = {row.name: SCORERS.get(row.name) for row in SCORERS}


def _evidence(rgb: NDArray[np.float32], *, noise: float = 0.003, x: int = 0) -> Evidence:
    grain = np.random.default_rng(5).normal(0, noise, rgb.shape).astype(np.float32)
    photo = as_photo(np.clip(rgb + grain, 0, 1))
    ones = np.ones(rgb.shape[:2], np.float32)
    region = Region(x, 0, photo.width, photo.height, "in-focus area")
    return gather(photo, BlurMap(ones, ones * 0, ones), [(region, photo)])[0]


def _values(rgb: NDArray[np.float32], **changes: float) -> dict[str, float]:
    return dict(measure([_evidence(rgb, **changes)], ALL).values)


@pytest.fixture(scope="module", params=[1, 2, 3])
def crop(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    return make_scene(384, 384, seed=request.param)


def test_more_blur_means_wider_edges(crop: NDArray[np.float32]) -> None:
    widths = [_values(blurred(crop, coc))["edge_width"] for coc in (0, 2, 4, 7, 12)]

    assert widths == sorted(widths)
    assert widths[-1] > 2 * widths[0]


def test_noise_is_no_sharpness(crop: NDArray[np.float32]) -> None:
    soft = blurred(crop, 8)

    clean, noisy = (_values(soft, noise=sigma)["edge_width"] for sigma in (0.002, 0.03))

    assert noisy > 0.6 * clean


@pytest.mark.parametrize("angle", [0, 30, 90, 140])
def test_motion_is_told_from_misfocus(crop: NDArray[np.float32], angle: float) -> None:
    moved = cv2.filter2D(crop, -1, motion_psf(11, angle), borderType=cv2.BORDER_REFLECT)

    motion, defocus = _values(moved), _values(blurred(crop, 8))

    assert motion["motion_ratio"] > 1.6 > defocus["motion_ratio"]
    off = abs((motion["motion_angle"] - angle + 90) % 180 - 90)
    assert off <= 30


def test_the_sharpest_box_speaks_for_the_photo(crop: NDArray[np.float32]) -> None:
    soft, sharp = _evidence(blurred(crop, 8), x=0), _evidence(crop, x=400)

    assert measure([soft, sharp], ALL).region.x == 400
    assert measure([sharp, soft], ALL).region.x == 400


def test_a_box_without_edges_never_speaks(crop: NDArray[np.float32]) -> None:
    flat = _evidence(np.full((384, 384, 3), 0.3, np.float32), x=400)

    assert measure([flat, _evidence(blurred(crop, 8), x=0)], ALL).region.x == 0


def test_there_must_be_a_box() -> None:
    with pytest.raises(InputError, match="at least one box"):
        measure([], ALL)


def test_clipped_tones_are_counted() -> None:
    rgb = np.full((40, 40, 3), 0.2, np.float32)
    rgb[:10] = 1.0
    rgb[30:] = 0.0

    values = _values(rgb, noise=0.0)

    assert values["clipped_high"] == pytest.approx(0.25)
    assert values["clipped_low"] == pytest.approx(0.25)
