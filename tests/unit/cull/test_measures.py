from __future__ import annotations

from dataclasses import replace

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


def _asked(rgb: NDArray[np.float32], logit: float) -> tuple[float, int]:
    """Return the probability where a box is said to have moved, and how often anyone asked."""
    asked = []

    def moved(gray: NDArray[np.float32]) -> float:
        asked.append(gray)
        return logit

    found = measure([replace(_evidence(rgb), moved=moved)], ALL)["motion_probability"]
    assert all(np.array_equal(gray, _evidence(rgb).gray) for gray in asked)
    return found, len(asked)


def test_boxes_that_are_blurred_are_asked_whether_they_moved(crop: NDArray[np.float32]) -> None:
    answers = [_asked(blurred(crop, 6), logit) for logit in (-1e9, -2.0, 0.0, 4.0, 1e9)]

    assert [asked for _, asked in answers] == [1] * len(answers)
    probabilities = [probability for probability, _ in answers]
    assert probabilities == sorted(set(probabilities))
    assert probabilities[0] == pytest.approx(0)
    assert probabilities[-1] == pytest.approx(1)


def test_what_is_asked_counts_alone_where_widths_tell_nothing() -> None:
    assert _asked(_fence(16, 6.0), 2.0) == (pytest.approx(1 / (1 + np.exp(-2))), 1)


def test_sharp_boxes_need_not_be_asked(crop: NDArray[np.float32]) -> None:
    probability, asked = _asked(crop, 9.0)

    assert asked == 0
    assert probability < 0.1


def test_where_nobody_can_be_asked_the_ratio_of_widths_decides(crop: NDArray[np.float32]) -> None:
    moved = cv2.filter2D(crop, -1, motion_psf(11, 30), borderType=cv2.BORDER_REFLECT)

    assert (
        _values(moved)["motion_probability"] > 0.5 > _values(blurred(crop, 8))["motion_probability"]
    )
    assert np.isnan(_values(_fence(16, 6.0))["motion_probability"])


@pytest.mark.parametrize(("length", "angle"), [(6, 20), (9, 90), (12, 150)])
def test_the_length_of_a_straight_path_is_found(
    crop: NDArray[np.float32], length: float, angle: float
) -> None:
    moved = cv2.filter2D(crop, -1, motion_psf(length, angle), borderType=cv2.BORDER_REFLECT)

    assert _values(moved)["motion_length"] == pytest.approx(length, abs=max(1.0, 0.2 * length))


def test_what_did_not_move_has_no_length(crop: NDArray[np.float32]) -> None:
    assert np.isnan(_values(crop)["motion_length"])


def _fence(pitch_px: int, coc_px: float) -> NDArray[np.float32]:
    x = np.arange(384 * 4) / 4
    bars = np.where(x % pitch_px < 0.4 * pitch_px, 0.5, 0.12).astype(np.float32)
    fence = np.repeat(bars.reshape(384, 4).mean(1)[None, :, None], 384, axis=0)
    return blurred(np.ascontiguousarray(np.repeat(fence, 3, axis=2)), coc_px)


@pytest.mark.parametrize("pitch_px", [16, 24, 40])
@pytest.mark.parametrize("coc_px", [0.0, 6.0])
def test_a_regular_fence_tells_nothing_of_motion(pitch_px: int, coc_px: float) -> None:
    assert np.isnan(_values(_fence(pitch_px, coc_px))["motion_ratio"])


def test_edges_of_one_blur_read_alike_alone_and_crowded() -> None:
    """What crowds an edge may not make a blurred photo read much sharper than a few lines do."""
    alone = np.full((384, 384, 3), 0.1, np.float32)
    cv2.fillPoly(alone, [np.array([[60, 90], [300, 40], [340, 330], [90, 280]])], (0.5, 0.5, 0.5))

    crowded, single = (
        _values(blurred(each, 6))["edge_width"] for each in (make_scene(384, 384, seed=2), alone)
    )

    assert crowded > 0.7 * single


def test_width_as_a_share_of_the_diagonal_is_that_of_the_frame() -> None:
    crop = as_photo(make_scene(384, 384, seed=1))
    whole = replace(as_photo(make_scene(300, 400, seed=2)), scale=0.1)
    ones = np.ones((300, 400), np.float32)
    region = Region(1000, 1000, 384, 384, "in-focus area")
    found = measure(gather(whole, BlurMap(ones, ones * 0, ones), [(region, crop)]), ALL)

    assert found["edge_share"] == pytest.approx(1000 * found["edge_width"] / 5000)


@pytest.mark.parametrize(("x", "y"), [(0.25, 0.75), (0.75, 0.25)])
def test_the_position_of_the_in_focus_area_is_told(x: float, y: float) -> None:
    photo = as_photo(make_scene(200, 400, seed=1))
    sharp = np.zeros((200, 400), np.float32)
    left, top = round(400 * x) - 40, round(200 * y) - 20
    sharp[top : top + 40, left : left + 80] = 1
    mapped = BlurMap(sharp, np.zeros_like(sharp), np.ones_like(sharp))
    found = measure(gather(photo, mapped, [(Region(0, 0, 400, 200, "in-focus area"), photo)]), ALL)

    assert (found["focus_x"], found["focus_y"]) == pytest.approx((x, y))


def test_nothing_in_focus_lies_nowhere() -> None:
    photo = as_photo(make_scene(200, 200, seed=1))
    none = np.zeros((200, 200), np.float32)
    mapped = BlurMap(none, none, np.ones_like(none))
    found = measure(gather(photo, mapped, [(Region(0, 0, 200, 200, "centre"), photo)]), ALL)

    assert np.isnan(found["focus_x"])
    assert np.isnan(found["focus_y"])


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


def _as_preview(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sharpen as cameras sharpen the JPEG in a RAW file."""
    return np.clip(rgb + 0.8 * (rgb - cv2.GaussianBlur(rgb, (0, 0), 1.0)), 0, 1)


@pytest.mark.parametrize("noise", [0.002, 0.016], ids=["ISO 100", "ISO 6400"])
@pytest.mark.parametrize("source", ["full", "preview"])
@pytest.mark.parametrize(("coc_at_60_mp", "verdict"), [(0.0, "keeper"), (20.0, "reject")])
def test_one_scene_gets_one_verdict(
    coc_at_60_mp: float, verdict: str, source: DecodedFrom, noise: float
) -> None:
    scene = blurred(make_scene(760, 760, seed=4), coc_at_60_mp)

    verdicts = {}
    for megapixels, side in {60: 760, 24: 480, 6: 240}.items():
        rgb = cv2.resize(scene, (side, side), interpolation=cv2.INTER_AREA)
        shown = _as_preview(rgb) if source == "preview" else rgb
        verdicts[megapixels] = _verdict(shown, megapixels, noise=noise, decoded_from=source)

    assert verdicts == dict.fromkeys(verdicts, verdict)


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
