from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from focuskit.detect.frame import GAUGE_STRIDE
from focuskit.detect.gauge import GaugeNet
from focuskit.errors import InputError
from focuskit.training import gauging
from focuskit.training.camera import develop
from focuskit.training.example import Example, Pools, labels_from_coc
from focuskit.training.gauging import (
    GaugeBatch,
    GaugeTask,
    frame_logit,
    fresh_network,
    gauge_loss,
)
from focuskit.training.lens import Lens
from tests.unit.training._make import (
    half_sharp,
    half_sharp_example,
    lively_gauge,
    one_thread,
    tiny_gauge_recipe,
)

POOLS: Pools = {
    "cuhk": [half_sharp_example(seed) for seed in range(3)],
    "scenes": [half_sharp_example(seed, "scene") for seed in range(3)],
    "whole": [half_sharp_example(seed, "whole") for seed in range(3)],
}
CPU = torch.device("cpu")
SHARP, UNKNOWN = -1.0, math.nan
Map = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


# The loss.


def _loss(
    log_coc: list[float], log_error: list[float], truth: list[float]
) -> tuple[float, dict[str, float], Tensor]:
    """The loss of an undecided picture of one row of cells, and its gradient."""
    evidence = [0.0] * len(truth)
    found = torch.tensor([log_coc, log_error, evidence])[None, :, None, :].requires_grad_()
    undecided = torch.tensor([UNKNOWN])
    loss, terms = gauge_loss(found, torch.tensor(truth)[None, None, :], undecided)
    loss.backward()
    assert found.grad is not None
    assert not found.grad[0, 2].any()
    assert terms.pop("frame") == 0
    return float(loss.detach()), terms, found.grad[0, :2, 0]


def test_of_a_known_blur_it_is_half_the_likelihood_of_its_logarithm() -> None:
    # log2(1 + 7) = 3.
    loss, terms, gradient = _loss([3.5], [math.log(0.25)], [7.0])

    assert loss == pytest.approx((0.5 / 0.25 + math.log(0.25)) / 2)
    assert terms == pytest.approx({"off": 0.5, "above": 0.0})
    # Further is worse; a larger error of its own would have been the better bet.
    assert gradient[:, 0].tolist() == pytest.approx([4.0 / 2, (1 - 2.0) / 2])


def test_a_blur_of_zero_is_a_known_one() -> None:
    loss, terms, _ = _loss([1.0], [0.0], [0.0])

    assert loss == pytest.approx(0.5)
    assert terms["off"] == pytest.approx(1.0)


def test_what_is_sharp_costs_only_above_what_sharp_photos_have() -> None:
    limit = math.log2(1 + 1.4)
    loss, terms, gradient = _loss(
        [limit - 0.7, limit + 0.2], [math.log(0.5), math.log(0.5)], [SHARP, SHARP]
    )

    assert loss == pytest.approx(0.2 / 0.5 / 2 / 2)
    assert terms == pytest.approx({"off": 0.0, "above": 0.1})
    # The error is not learned from what nobody knows.
    assert gradient[0].tolist() == pytest.approx([0.0, 1 / 0.5 / 2 / 2])
    assert gradient[1].tolist() == [0, 0]


def test_what_is_unknown_costs_nothing_and_does_not_count() -> None:
    alone, terms, _ = _loss([3.5], [0.0], [7.0])
    among, terms_among, gradient = _loss([9.0, 3.5, -9.0], [1.0, 0.0, 1.0], [UNKNOWN, 7.0, UNKNOWN])

    assert among == pytest.approx(alone)
    assert terms_among == pytest.approx(terms)
    assert not gradient[:, [0, 2]].any()


def test_a_batch_of_which_nothing_is_known_teaches_nothing() -> None:
    loss, terms, gradient = _loss([9.0, 1.0], [0.0, 0.0], [UNKNOWN, UNKNOWN])

    assert loss == 0
    assert terms == {"off": 0.0, "above": 0.0}
    assert not gradient.any()


def test_no_error_is_so_small_that_one_cell_decides_everything() -> None:
    loss, _, _ = _loss([3.5], [-50.0], [7.0])

    assert loss == pytest.approx((0.5 * math.exp(4) - 4) / 2)


def _frame_loss(evidence: Tensor, in_focus: list[float]) -> tuple[float, Tensor]:
    """The loss of pictures of which only that is known, and its gradient."""
    found = torch.zeros(len(in_focus), 3, *evidence.shape[1:])
    found[:, 2] = evidence
    found.requires_grad_()
    nothing = torch.full_like(evidence, UNKNOWN)
    loss, terms = gauge_loss(found, nothing, torch.tensor(in_focus))
    loss.backward()
    assert found.grad is not None
    assert not found.grad[:, :2].any()
    assert terms == {"off": 0.0, "above": 0.0, "frame": float(loss.detach())}
    return float(loss.detach()), found.grad[:, 2]


def _evidence(*seeds: int, side: int = 20) -> Tensor:
    generators = (torch.Generator().manual_seed(seed) for seed in seeds)
    return torch.stack([torch.randn((side, side), generator=each) for each in generators])


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_only_the_sharpest_cells_speak_for_their_frame(label: float) -> None:
    evidence = _evidence(0)
    # A hundredth of 400.
    sharpest = torch.zeros(400, dtype=torch.bool)
    sharpest[evidence.flatten().argsort()[-4:]] = True
    logit = float(evidence.flatten()[sharpest].mean())

    loss, gradient = _frame_loss(evidence, [label])

    says = 1 / (1 + math.exp(-logit))
    assert float(frame_logit(evidence)) == pytest.approx(logit)
    assert loss == pytest.approx(-math.log(says if label else 1 - says))
    assert not gradient.flatten()[~sharpest].any()
    each = gradient.flatten()[sharpest].tolist()
    assert each == pytest.approx([(says - label) / 4] * 4)


def test_of_a_frame_of_few_cells_the_sharpest_speaks() -> None:
    evidence = torch.tensor([[[0.5, -1.0], [2.0, 1.5]], [[-3.0, -2.0], [-5.0, -4.0]]])

    _, gradient = _frame_loss(evidence, [0.0, 1.0])

    assert frame_logit(evidence).tolist() == [2.0, -2.0]
    assert gradient.nonzero().tolist() == [[0, 1, 0], [1, 0, 1]]
    assert gradient[0, 1, 0] > 0 > gradient[1, 0, 1]


def test_an_undecided_frame_costs_nothing_and_does_not_count() -> None:
    one, other = _evidence(0), _evidence(1)

    alone, gradient_alone = _frame_loss(one, [1.0])
    among, gradient = _frame_loss(torch.cat([other, one, other]), [UNKNOWN, 1.0, UNKNOWN])

    assert among == pytest.approx(alone)
    assert torch.allclose(gradient[1], gradient_alone[0])
    assert not gradient[[0, 2]].any()


def test_frames_count_alike_and_beside_the_size_of_the_blur() -> None:
    evidence = _evidence(0, 1)
    both, _ = _frame_loss(evidence, [1.0, 0.0])
    each = [_frame_loss(evidence[i : i + 1], [label])[0] for i, label in enumerate((1.0, 0.0))]
    assert both == pytest.approx(np.mean(each))

    found = torch.zeros(2, 3, 20, 20)
    found[:, 2] = evidence
    truth = torch.full((2, 20, 20), 7.0)
    known, terms = gauge_loss(found, truth, torch.tensor([1.0, 0.0]))
    # log2(1 + 7) = 3, found everywhere as 0 with an error of 1.
    assert float(known) == pytest.approx(3 / 2 + both)
    assert terms == pytest.approx({"off": 3.0, "above": 0.0, "frame": both})


# Cells.


def _coc(height: int, width: int, value: float) -> Map:
    return np.full((height, width), value, np.float32)


def test_a_cell_is_known_where_it_holds_one_blur() -> None:
    coc = _coc(16, 32, 5.0)
    coc[:8, :8] = np.linspace(5.0, 5.4, 8)  # a slanted surface
    coc[:8, 12:16] = 9.0  # an outline
    coc[3, 17] = np.nan  # a single pixel nobody knows
    coc[8:, :8] = SHARP
    coc[8:, 8:12] = SHARP  # sharp beside blurred
    coc[8:, 16:20] = SHARP  # sharp beside unknown
    coc[8:, 20:24] = np.nan

    cells = gauging._cells(coc)

    assert (cells.shape, cells.dtype) == ((2, 4), np.float32)
    assert cells[0, 0] == pytest.approx(5.2, abs=0.1)
    assert cells[1, 0] == SHARP
    assert cells[0, 3] == cells[1, 3] == 5
    assert np.isnan(cells[0, [1, 2]]).all()
    assert np.isnan(cells[1, [1, 2]]).all()


# Windows.


def _labelled(rgb: Pixels, coc_px: float) -> Example:
    """A scene of one blur, with the answers that go with it."""
    coc = np.full(rgb.shape[:2], coc_px, np.float32)
    return Example(rgb, *labels_from_coc(coc), coc, "scene", "even")


def _even(coc_px: float, side: int = 160) -> Example:
    return _labelled(half_sharp(side, side, 1), coc_px)


def _ramp(side: int) -> Pixels:
    """Tells how large a window shows the picture: a step of 1 from pixel to pixel."""
    ramp = np.arange(side, dtype=np.uint8)[None, :, None]
    return np.ascontiguousarray(np.broadcast_to(ramp, (side, side, 3)))


def _own(coc_px: float) -> float:
    """With what every photo has of its own."""
    return math.hypot(coc_px, 0.8)


def test_a_window_that_is_made_smaller_is_less_blurred() -> None:
    example = _even(3.0)
    scaled = []
    for seed in range(60):
        view = gauging._cut(example, np.random.default_rng(seed), 64)
        assert (view.gray.shape, view.gray.dtype) == ((64, 64), np.uint8)
        assert np.ptp(view.truth) == 0
        # Pixels of the example per pixel of the window, by the same draws.
        ramp = replace(example, rgb=_ramp(160))
        seen = gauging._cut(ramp, np.random.default_rng(seed), 64).gray
        across = (float(seen.max()) - float(seen.min()) + 1) / 64
        assert view.truth[0, 0] == pytest.approx(_own(3) / across, rel=0.03)
        scaled.append(float(view.truth[0, 0]))

    assert np.mean(np.isclose(scaled, _own(3))) > 0.5
    assert 0.49 < min(scaled) / _own(3) < 0.75
    assert max(scaled) == pytest.approx(_own(3))


def test_a_scene_smaller_than_a_window_is_mirrored_and_as_blurred_as_before() -> None:
    views = [
        gauging._cut(replace(_even(4.0, side=48), rgb=_ramp(48)), np.random.default_rng(seed), 96)
        for seed in range(10)
    ]

    as_it_is = [view for view in views if np.isclose(view.truth.max(), _own(4))]
    assert len(as_it_is) >= 5
    wanted = [*range(48), *range(46, -1, -1), 1]
    for view in as_it_is:
        assert np.ptp(view.truth) == 0
        row = view.gray[0].tolist()
        assert wanted in (row, row[::-1])
        assert (view.gray == view.gray[:1]).all()
    for view in views:
        assert _own(4) / 2 <= view.truth.min() == view.truth.max() <= np.float32(_own(4))


@pytest.mark.parametrize("coc_px", [0.0, 1.1, 1.2, 1.7, 2.5, 3.5, 8.0])
def test_a_window_of_one_blur_is_in_focus_by_the_blur_that_it_shows(coc_px: float) -> None:
    seen = set()
    for seed in range(40):
        view = gauging._cut(_even(coc_px, side=128), np.random.default_rng(seed), 64)
        truth = float(view.truth[0, 0])
        assert (view.truth == truth).all()
        # What counts as sharp is not told apart any further.
        assert truth == SHARP or truth > 1.4
        if truth == SHARP or truth <= _own(1.3):
            wanted = 1.0
        else:
            wanted = 0.0 if truth >= 2 else UNKNOWN
        assert view.in_focus == pytest.approx(wanted, nan_ok=True)
        seen.add("undecided" if math.isnan(view.in_focus) else view.in_focus)

    # As large as it is, and made smaller by half at most.
    assert (
        seen
        >= {
            0.0: {1.0},
            1.1: {1.0},
            1.2: {1.0},
            1.7: {1.0, "undecided"},
            2.5: {0.0, 1.0, "undecided"},
            3.5: {0.0, "undecided"},
            8.0: {0.0},
        }[coc_px]
    )


def test_of_a_scene_with_several_blurs_one_that_is_sharp_decides() -> None:
    for seed in range(10):
        example = half_sharp_example(seed, "scene", size=64)
        view = gauging._cut(example, np.random.default_rng(seed), 64)

        assert view.in_focus == 1
        assert (view.truth == SHARP).any()
        assert (view.truth > 2).any()


@pytest.mark.parametrize(("in_focus", "wanted"), [(0.0, 0.0), (1.0, UNKNOWN)])
def test_a_frame_of_unknown_blur_is_out_of_focus_where_it_is_said_to_be(
    in_focus: float, wanted: float
) -> None:
    """Such as one that was shaken."""
    example = _even(math.nan)
    example = replace(example, in_focus=np.full_like(example.in_focus, in_focus))

    view = gauging._cut(example, np.random.default_rng(0), 64)

    assert view.in_focus == pytest.approx(wanted, nan_ok=True)
    assert np.isnan(view.truth).all()


@pytest.mark.parametrize(
    ("shares", "all_blurred", "wanted"),
    [
        ({1.5: 0.08, UNKNOWN: 0.92}, False, 1.0),
        ({1.5: 0.07, UNKNOWN: 0.93}, False, UNKNOWN),
        ({1.5: 0.08, 9.0: 0.92}, False, 1.0),
        ({1.5: 0.07, 9.0: 0.93}, False, UNKNOWN),
        ({1.5: 0.07, 9.0: 0.93}, True, UNKNOWN),
        ({1.6: 1.0}, True, UNKNOWN),
        ({1.9: 0.01, 9.0: 0.99}, True, UNKNOWN),
        ({2.0: 0.5, 9.0: 0.5}, True, 0.0),
        ({2.0: 0.5, 9.0: 0.5}, False, UNKNOWN),
        ({9.0: 0.6, UNKNOWN: 0.4}, True, 0.0),
        ({0.8: 0.6, UNKNOWN: 0.4}, False, 1.0),
        ({UNKNOWN: 1.0}, True, 0.0),
        ({UNKNOWN: 1.0}, False, UNKNOWN),
    ],
)
def test_nothing_is_in_focus_only_where_everything_is_known_to_be_blurred(
    shares: dict[float, float], all_blurred: bool, wanted: float
) -> None:
    coc = np.concatenate([np.full(round(100 * n), px, np.float32) for px, n in shares.items()])
    blurred = np.ones((10, 10), np.bool_)
    blurred[0, 0] = all_blurred

    verdict = gauging._verdict(coc.reshape(10, 10), blurred, 1.0)

    assert verdict == pytest.approx(wanted, nan_ok=True)


def test_blur_of_unknown_size_may_pass_for_sharp_once_it_is_made_smaller() -> None:
    unknown = np.full((10, 10), np.nan, np.float32)

    assert gauging._verdict(unknown, np.ones((10, 10), np.bool_), 1.0) == 0
    assert math.isnan(gauging._verdict(unknown, np.ones((10, 10), np.bool_), 0.8))


def test_frames_that_were_misfocused_hold_their_own_blur_already() -> None:
    scene, missed = _even(4.0), replace(_even(4.0), source="whole")
    crisp = replace(_even(0.0), source="whole")

    assert np.allclose(gauging._own_added(scene), math.hypot(4, 0.8))
    assert np.allclose(gauging._own_added(missed), 4)
    assert np.allclose(gauging._own_added(crisp), 0.8)


def _photo(mask: Map) -> Example:
    unknown = np.full_like(mask, np.nan)
    return Example(half_sharp(*mask.shape, 1), mask, np.ones_like(mask), unknown, "cuhk", "photo")


def _sharp_photo(height: int = 136, width: int = 136) -> Example:
    return _photo(np.ones((height, width), np.float32))


def _lengths(cells: Map) -> set[float]:
    return set(cells[np.isfinite(cells)].tolist())


def test_photos_are_blurred_by_one_known_size_or_left_sharp() -> None:
    example = _sharp_photo()
    found = []
    for seed in range(150):
        view = gauging._blurred(example, np.random.default_rng(seed), 64)
        assert (view.gray.shape, view.gray.dtype) == ((64, 64), np.uint8)
        (length,) = _lengths(view.truth)
        assert not np.isnan(view.truth).any()
        found.append(length)

    sharp = [each for each in found if each == SHARP]
    assert 0.35 < len(sharp) / len(found) < 0.65
    blurred = sorted(each for each in found if each != SHARP)
    assert _own(1) <= blurred[0] < 2
    assert 10 < blurred[-1] <= _own(20)
    assert np.median(blurred) < math.sqrt(20)


def test_a_photo_is_in_focus_as_it_is_and_out_of_focus_from_two_pixels_of_blur_on() -> None:
    example = _sharp_photo()
    seen: dict[str, int] = {"sharp": 0, "slightly": 0, "blurred": 0}
    for seed in range(60):
        view = gauging._blurred(example, np.random.default_rng(seed), 64)
        (length,) = _lengths(view.truth)
        if length == SHARP:
            kind, wanted = "sharp", 1.0
        elif length < _own(2):
            kind, wanted = "slightly", UNKNOWN
        else:
            kind, wanted = "blurred", 0.0
        seen[kind] += 1
        assert view.in_focus == pytest.approx(wanted, nan_ok=True)

    assert min(seen.values()) >= 5


@pytest.mark.parametrize(("side", "enough"), [(16, False), (24, True)])
def test_a_photo_with_little_in_focus_is_undecided_until_it_is_blurred(
    side: int, enough: bool
) -> None:
    """A sixteenth of the frame may escape the sharpest cells, a seventh not."""
    mask = np.zeros((64, 64), np.float32)
    mask[:side, :side] = 1
    left_sharp, labels = [], set()
    for seed in range(60):
        view = gauging._blurred(_photo(mask), np.random.default_rng(seed), 64)
        labels.add(str(view.in_focus))
        if (view.truth == SHARP).sum() == (side // GAUGE_STRIDE) ** 2:
            left_sharp.append(view.in_focus)

    assert len(left_sharp) > 5
    assert left_sharp == pytest.approx([1.0 if enough else UNKNOWN] * len(left_sharp), nan_ok=True)
    assert labels == ({"0.0", "1.0", "nan"} if enough else {"0.0", "nan"})


def test_photos_are_developed_mildly_and_some_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    strengths = []

    def noted(light: Map, rng: np.random.Generator, *, strength: float) -> Pixels:
        strengths.append(strength)
        return develop(light, rng, strength=strength)

    monkeypatch.setattr(gauging, "develop", noted)
    example = _sharp_photo()
    for seed in range(80):
        gauging._blurred(example, np.random.default_rng(seed), 32)

    assert 0.05 < np.mean(np.array(strengths) == 0) < 0.3
    assert 0.6 < max(strengths) <= 0.7


def test_the_more_it_is_blurred_the_less_detail_is_left() -> None:
    example = _photo(np.ones((136, 136), np.float32))
    pairs = []
    for seed in range(60):
        view = gauging._blurred(example, np.random.default_rng(seed), 64)
        (length,) = _lengths(view.truth)
        gray = view.gray.astype(float)
        pairs.append((length, np.abs(np.diff(gray, axis=1)).mean() / (1 + gray.std())))

    slight = np.mean([detail for length, detail in pairs if length < 2])
    strong = np.mean([detail for length, detail in pairs if length > 8])
    assert slight > 1.5 * strong


def test_blur_leaks_and_so_the_border_of_what_was_sharp_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rgb, mask = half_sharp(64, 64, 1), np.zeros((64, 64), np.bool_)
    mask[:, :29] = True
    monkeypatch.setattr(gauging, "_in_focus_window", lambda *_: (rgb, mask))
    seen: dict[float, int] = {}
    for seed in range(40):
        cells = gauging._blurred(_sharp_photo(64, 64), np.random.default_rng(seed), 64).truth
        known = np.isfinite(cells)
        (length,) = _lengths(cells)
        assert not known[:, 3:].any()
        assert (known == known[:1]).all()
        seen[length] = int(known[0].sum())

    assert seen.pop(SHARP) == 29 // GAUGE_STRIDE
    for length, columns in seen.items():
        reach = math.ceil(math.sqrt(length**2 - 0.8**2) / 2 - 1e-6)
        assert columns == (29 - reach) // GAUGE_STRIDE
    assert set(seen.values()) == {2, 3}


@pytest.mark.parametrize(("height", "width"), [(40, 120), (120, 40), (40, 40), (5, 64), (1, 1)])
def test_of_photos_smaller_than_a_window_nothing_is_known_beyond_them(
    height: int, width: int
) -> None:
    most = (min(height, 64) // GAUGE_STRIDE) * (min(width, 64) // GAUGE_STRIDE)
    found = []
    for seed in range(12):
        view = gauging._blurred(_sharp_photo(height, width), np.random.default_rng(seed), 64)

        assert view.gray.shape == (64, 64)
        found.append(int(np.isfinite(view.truth).sum()))

    assert max(found) == most


@pytest.mark.parametrize(("height", "width"), [(5, 8), (8, 3), (2, 3), (8, 8), (1, 1)])
def test_what_is_too_small_goes_on_mirrored(height: int, width: int) -> None:
    picture = np.random.default_rng(0).random((height, width), np.float32)

    framed = gauging._framed(picture, 8)

    assert framed.shape == (8, 8)
    assert np.array_equal(framed[:height, :width], picture)
    rows, columns = (
        np.abs((np.arange(8) + n - 1) % max(1, 2 * n - 2) - (n - 1)) for n in picture.shape
    )
    assert np.array_equal(framed, picture[np.ix_(rows, columns)])


def test_windows_are_taken_where_there_is_something_in_focus() -> None:
    mask = np.zeros((200, 400), np.float32)
    mask[:, :60] = 1
    found = []
    for seed in range(40):
        window = gauging._in_focus_window(_photo(mask), np.random.default_rng(seed), 64)
        found.append(float(window[1].mean()))

    # By chance it would be every third.
    assert np.mean(np.array(found) >= 0.1) > 0.6
    rgb, nowhere = gauging._in_focus_window(_photo(0 * mask), np.random.default_rng(0), 64)
    assert (rgb.shape, rgb.dtype) == ((64, 64, 3), np.uint8)
    assert (nowhere.shape, nowhere.dtype) == ((64, 64), np.bool_)
    assert not nowhere.any()


def test_the_mask_of_a_window_goes_where_its_picture_goes() -> None:
    y, x = np.mgrid[:150, :150]
    mask = ((x - 60) ** 2 + (y - 80) ** 2 < 50**2).astype(np.float32)
    mask[90:] *= x[90:] < 60
    white = np.rint(255 * mask).astype(np.uint8)[..., None].repeat(3, axis=2)
    example = replace(_photo(mask), rgb=white)
    for seed in range(40):
        rgb, window = gauging._in_focus_window(example, np.random.default_rng(seed), 64)
        # Of a pixel that is in focus in part nobody says that it is.
        assert np.array_equal(window, rgb[..., 0] > 0.9 * 255)
        assert 0 < window.mean()


def test_windows_are_turned_mirrored_and_made_smaller_at_times() -> None:
    example = replace(_sharp_photo(150, 150), rgb=_ramp(150))
    steps = []
    for seed in range(80):
        rgb, _ = gauging._in_focus_window(example, np.random.default_rng(seed), 64)
        gray = rgb[..., 0].astype(float)
        steps.append((gray[0, -1] - gray[0, 0], gray[-1, 0] - gray[0, 0]))

    across, down = np.array(steps).T / 63
    assert np.all((across == 0) != (down == 0))
    size = np.abs(across + down)
    assert 0.25 < np.mean(size > 1.02) < 0.55
    assert 0.99 < size.min() < size.max() < 2.05
    assert 0.05 < np.mean(down != 0) < 0.3
    assert 0.3 < np.mean(across > 0) < 0.7


# The task.


def test_every_step_draws_anew_and_the_same_whenever_it_is_asked() -> None:
    task, again = (GaugeTask(tiny_gauge_recipe(), POOLS, {}) for _ in range(2))
    other = GaugeTask(tiny_gauge_recipe(seed=1), POOLS, {})

    batches = [task.batch(step) for step in range(6)]

    for step, batch in enumerate(batches):
        assert isinstance(batch, GaugeBatch)
        assert (batch.gray.shape, batch.gray.dtype) == ((3, 1, 64, 64), torch.float32)
        assert (batch.truth.shape, batch.truth.dtype) == ((3, 8, 8), torch.float32)
        assert (batch.in_focus.shape, batch.in_focus.dtype) == ((3,), torch.float32)
        assert 0 <= float(batch.gray.min()) < float(batch.gray.max()) <= 1
        repeat = again.batch(step)
        assert torch.equal(batch.gray, repeat.gray)
        for name in ("truth", "in_focus"):
            one, same = (getattr(each, name).numpy() for each in (batch, repeat))
            assert np.array_equal(one, same, equal_nan=True)
        assert sum(torch.equal(batch.gray, each.gray) for each in batches) == 1
        assert not torch.equal(batch.gray, other.batch(step).gray)
    labels = torch.cat([batch.in_focus for batch in batches])
    assert {0.0, 1.0} <= set(labels[labels.isfinite()].tolist()) <= {0.0, 1.0}


def test_shares_decide_what_is_seen_and_what_is_missing_is_refused() -> None:
    recipe = tiny_gauge_recipe(cuhk=0.0, whole=0.0)
    untouched: Pools = {"cuhk": [None], "scenes": POOLS["scenes"]}  # type: ignore[list-item]

    assert torch.isfinite(GaugeTask(recipe, untouched, {}).batch(0).truth).any()
    with pytest.raises(InputError, match=r"no examples of whole; .*set that share to 0"):
        GaugeTask(tiny_gauge_recipe(), {**POOLS, "whole": []}, {})


def test_the_loss_reaches_every_parameter() -> None:
    recipe = tiny_gauge_recipe(batch=6)
    network = fresh_network(recipe)
    task = GaugeTask(recipe, POOLS, {})

    loss, terms = task.loss(network, task.batch(0), 0, CPU)
    loss.backward()

    assert math.isfinite(float(loss.detach()))
    assert set(terms) == {"off", "above", "frame"}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    ((parameters, share),) = task.groups(network)
    assert share == 1
    assert len(parameters) == len(list(network.parameters()))


def test_the_seed_decides_the_network_that_is_started_from() -> None:
    one, same, other = (fresh_network(tiny_gauge_recipe(seed=seed)) for seed in (0, 0, 1))

    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)


class _Says(GaugeNet):
    """Says the same of every cell."""

    def __init__(self, coc_px: float) -> None:
        super().__init__()
        self.answer = math.log2(1 + coc_px)

    def forward(self, gray: Tensor) -> Tensor:
        shape = (gray.shape[0], 3, *(side // GAUGE_STRIDE for side in gray.shape[2:]))
        return torch.full(shape, self.answer)


class _Sees(GaugeNet):
    """Takes for evidence how bright a cell is, or how much it changes from pixel to pixel."""

    def __init__(self, *, change: bool = False) -> None:
        super().__init__()
        self.change = change

    def forward(self, gray: Tensor) -> Tensor:
        if self.change:
            gray = functional.pad(gray.diff(dim=3).abs(), (0, 1, 0, 0))
        evidence = functional.avg_pool2d(gray, GAUGE_STRIDE)
        return torch.cat([99 + 0 * evidence, -evidence, evidence], 1)


def test_validation_gives_the_median_relative_error_of_each_kind() -> None:
    held = {"scenes": [_even(8.0), _even(4.0), _even(4.0, side=150)], "whole": [_even(10.0)]}
    task = GaugeTask(tiny_gauge_recipe(), POOLS, held)

    figures = task.validate(_Says(5.0))

    # Two thirds of the scenes' cells are of 4 px, and of a little that is their own.
    wanted = {"scenes_coc_error": abs(5 / _own(4) - 1), "whole_coc_error": abs(5 / _own(10) - 1)}
    assert figures == pytest.approx(wanted, rel=1e-4)


def test_validation_leaves_out_what_cannot_be_judged() -> None:
    too_small, too_large, unknown = _even(1.0), _even(30.0), _even(math.nan)
    held = {"scenes": [too_small, _even(4.0), too_large], "whole": [unknown]}

    figures = GaugeTask(tiny_gauge_recipe(), POOLS, held).validate(_Says(_own(4)))

    assert figures == pytest.approx({"scenes_coc_error": 0}, abs=1e-5)
    assert GaugeTask(tiny_gauge_recipe(), POOLS, {}).validate(lively_gauge()) == {}


def _pictured(gray: NDArray[Any]) -> Example:
    """A photo of these pixels."""
    example = _sharp_photo(*gray.shape)
    return replace(example, rgb=np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2))


def _gray_photos(values: range) -> list[Example]:
    # Sides that do not suit the network are cut.
    return [_pictured(np.full((9, 17), value)) for value in values]


def _task(cuhk: list[Example], held: list[Example] | None = None) -> GaugeTask:
    recipe = tiny_gauge_recipe(cuhk=float(bool(cuhk)), scenes=0.2, whole=0.0)
    return GaugeTask(recipe, {**POOLS, "cuhk": cuhk}, {"cuhk": held or []})


def test_nearly_all_blurred_training_photos_score_less_than_the_offset() -> None:
    photos = _gray_photos(range(50, 151))
    held = _gray_photos(range(10))

    offset = _task(photos[::-1], held).frame_offset(_Sees())

    # Blur changes nothing about these; of 101 photos five are brighter.
    assert offset == pytest.approx(145 / 255, abs=1e-4)
    assert _task([]).frame_offset(_Sees()) == 0
    assert _task(photos[7:8]).frame_offset(_Sees()) == pytest.approx(57 / 255, abs=1e-4)


def test_the_sharpest_cells_of_a_photo_make_its_score() -> None:
    gray = np.full((160, 160), 20)
    # 4 of 400 cells.
    gray[40:56, 80:96] = 220

    assert _task([_pictured(gray)]).frame_offset(_Sees()) == pytest.approx(220 / 255, abs=1e-4)


def test_validation_tells_how_many_photos_are_called_out_of_focus_as_they_are_and_blurred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the offset of training, which the held-back photos have no part in."""
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 2, (96, 96))
    coarse = np.zeros((96, 96))
    # One step of the brightness within a cell stays within it when it is blurred.
    coarse[:, 44:] = 255
    taught = [_pictured(5 + 245 * rng.integers(0, 2, (96, 96))) for _ in range(3)]
    held = [
        _pictured(20 + 200 * fine),
        _pictured(20 + 200 * fine[::-1]),
        _pictured(coarse),
        _pictured(np.full((96, 96), 128)),
    ]
    task = _task(taught, held)
    network = _Sees(change=True)
    monkeypatch.setattr(gauging, "_JUDGED_LONG_EDGE", 96)

    figures = task.validate(network)

    # Below what the step scores, above what is left of fine detail.
    assert 0.01 < task.frame_offset(network) < 255 / 8 / 255
    assert figures == {"sharp_called": 0.25, "missed_called": 0.75}
    assert GaugeTask(task.recipe, task.training, {"cuhk": []}).validate(network) == {}


def test_the_blur_that_validation_judges_is_of_1600_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    blur = Lens.blur

    def noted(self: Lens, image: Map, coc_diameter_px: float) -> Map:
        asked.append((self, coc_diameter_px))
        return blur(self, image, coc_diameter_px)

    monkeypatch.setattr(Lens, "blur", noted)

    _task(_gray_photos(range(3)), [_sharp_photo(400, 100), _sharp_photo(8, 16)]).validate(_Sees())

    taught, held = asked[:3], asked[3:]
    assert taught == [(Lens(), pytest.approx(6 * 17 / 1600))] * 3
    assert held == [(Lens(), pytest.approx(1.5)), (Lens(), pytest.approx(0.06))]
