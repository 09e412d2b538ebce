from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.cull import SCORERS, Evidence, gather, measure
from focuskit.cull.decide import decide
from focuskit.cull.subject import Region
from focuskit.errors import InputError
from focuskit.optics.psf import motion_psf
from focuskit.photo import DecodedFrom
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


def _verdict(
    rgb: NDArray[np.float32],
    megapixels: float,
    *,
    noise: float = 0.003,
    decoded_from: DecodedFrom = "full",
) -> str:
    measures = measure([_evidence(rgb, noise=noise)], ALL)
    diagonal = 1000 * (megapixels / 6) ** 0.5 * 13**0.5
    return decide(measures, diagonal, decoded_from=decoded_from).verdict


@pytest.mark.parametrize(("coc_at_60_mp", "verdict"), [(0.0, "keeper"), (20.0, "reject")])
def test_megapixels_do_not_change_the_verdict(coc_at_60_mp: float, verdict: str) -> None:
    rgb = blurred(make_scene(760, 760, seed=4), coc_at_60_mp)
    sides = {60: 760, 24: 480, 6: 240}

    verdicts = {
        megapixels: _verdict(
            cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), megapixels
        )
        for megapixels, side in sides.items()
    }

    assert verdicts == dict.fromkeys(sides, verdict)


@pytest.mark.parametrize(("coc", "verdict"), [(0.0, "keeper"), (8.0, "reject")])
def test_neither_iso_nor_the_cameras_sharpening_changes_the_verdict(
    crop: NDArray[np.float32], coc: float, verdict: str
) -> None:
    rgb = blurred(crop, coc)
    sharpened = np.clip(rgb + 0.8 * (rgb - cv2.GaussianBlur(rgb, (0, 0), 1.0)), 0, 1)

    # In linear light, as a full-frame camera leaves it at ISO 100 and at ISO 6400.
    assert _verdict(rgb, 24, noise=0.002) == verdict
    assert _verdict(rgb, 24, noise=0.016) == verdict
    assert _verdict(sharpened, 24, decoded_from="preview") == verdict


def test_detail_orders_frames_whose_noise_differs(crop: NDArray[np.float32]) -> None:
    noises = (0.002, 0.012, 0.006, 0.02, 0.03)

    detail = [
        _values(blurred(crop, coc), noise=noise)["detail"]
        for coc, noise in zip((1, 2.4, 3.6, 5, 7), noises, strict=True)
    ]

    assert detail == sorted(detail, reverse=True)


def test_the_camera_shook_where_all_boxes_moved_alike(crop: NDArray[np.float32]) -> None:
    moved = cv2.filter2D(crop, -1, motion_psf(11, 30), borderType=cv2.BORDER_REFLECT)
    ones = np.ones(crop.shape[:2], np.float32)
    mapped = BlurMap(ones, ones * 0, ones)

    def shared(*pictures: NDArray[np.float32]) -> list[float]:
        boxes = [
            (Region(400 * index, 0, 384, 384, "in-focus area"), as_photo(np.clip(each, 0, 1)))
            for index, each in enumerate(pictures)
        ]
        return [ALL["motion_shared"].measure(each) for each in gather(boxes[0][1], mapped, boxes)]

    assert shared(moved, moved[::, ::-1][:, ::-1]) == [1.0, 1.0]
    assert shared(moved, crop, crop)[0] == 0.0
    assert np.isnan(shared(moved)[0])
