"""Whether anything in a frame is in focus: where is looked, and what is made of what is seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.detect import frame
from focuskit.detect.frame import GAUGE_NAME, GAUGE_STRIDE, SHARPEST_SHARE, focus_probability
from focuskit.detect.weights import Weights
from focuskit.errors import WeightsError
from tests.scenes import blurred, make_scene

Map = NDArray[np.float32]
ALL = 1000
# A stand-in that reads numbers off the picture: black is this much against, white as much for.
STRONG = 4.0
# An offset that nothing is sharp enough for, so that nothing leaves no doubt.
DOUBT = 100.0


def _brightness(cells: Map) -> Map:
    return np.asarray(STRONG * (2 * cells.mean(axis=(1, 3)) - 1), np.float32)


def _crispness(cells: Map) -> Map:
    """How much of the contrast is between neighbours, as the network has it: of logarithms."""
    steps = np.square(np.diff(cells, axis=3)).mean(axis=(1, 3))
    whole = np.square(cells - cells.mean(axis=(1, 3), keepdims=True)).mean(axis=(1, 3))
    return np.asarray(np.log(steps + 1e-6) - np.log(whole + 1e-3), np.float32)


@dataclass
class StandIn:
    """Says of each cell what a rule says of its pixels, and remembers what it saw."""

    rule: Callable[[Map], Map]
    seen: list[Map] = field(default_factory=list)

    def __call__(self, gray: Map) -> tuple[Map, Map, Map]:
        count, channels, height, width = gray.shape
        assert (count, channels, gray.dtype) == (1, 1, np.float32)
        assert height % GAUGE_STRIDE == width % GAUGE_STRIDE == 0
        assert gray.min() >= 0
        assert gray.max() <= 1
        self.seen.append(gray[0, 0])
        rows, columns = height // GAUGE_STRIDE, width // GAUGE_STRIDE
        evidence = self.rule(gray.reshape(rows, GAUGE_STRIDE, columns, GAUGE_STRIDE))
        # The other two maps must not be mistaken for the third.
        return np.full((1, rows, columns), 99, np.float32), -evidence[None], evidence[None]


@dataclass
class Judged:
    """What came of looking at a frame."""

    probability: float
    seen: list[Map]


def _judged(
    light: Map,
    worth: Map | None = None,
    most: int = ALL,
    *,
    rule: Callable[[Map], Map] = _brightness,
    offset: float = 0.0,
) -> Judged:
    if worth is None:
        worth = np.ones(light.shape[:2], np.float32)
    network = StandIn(rule)
    weights = Weights(GAUGE_NAME, {}, {"frame_offset": offset})

    def opened(name: str) -> tuple[Any, Weights]:
        assert name == GAUGE_NAME
        return network, weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "open_network", opened)
        return Judged(focus_probability(light, worth, most), network.seen)


def _always(evidence: Any) -> Callable[[Map], Map]:
    return lambda cells: np.full(cells.shape[::2], evidence, np.float32)


def _flat(height: int, width: int, value: float = 0.0) -> Map:
    return np.full((height, width, 3), value, np.float32)


def _noise(height: int, width: int, seed: int = 0) -> Map:
    gray = np.random.default_rng(seed).random((height, width, 1), np.float32)
    return gray.repeat(3, axis=2)


# What is made of what is seen.


@given(st.floats(-1e6, 1e6, width=32), st.floats(-1e3, 1e3))
@settings(max_examples=60)
def test_it_is_a_probability_whatever_the_network_says(evidence: float, offset: float) -> None:
    light = _flat(40, 56)

    found = _judged(light, rule=_always(evidence), offset=offset)

    assert isinstance(found.probability, float)
    assert 0 <= found.probability <= 1


@pytest.mark.parametrize("offset", [-2.5, 0.0, 0.7, 3.0])
def test_it_is_one_half_where_the_evidence_is_the_offset_of_the_weights(offset: float) -> None:
    def judged(evidence: float) -> float:
        return _judged(_flat(64, 96), rule=_always(evidence), offset=offset).probability

    assert judged(offset) == pytest.approx(0.5)
    # Above the line the map stays; below, it fades with how far the shot is missed.
    assert judged(offset + 0.5) > 0.999
    assert 0.3 < judged(offset - 1) < 0.45
    assert judged(offset - 1) > judged(offset - 4) > judged(offset - 12)
    assert judged(offset - 12) < 0.03


@given(
    seed=st.integers(0, 99),
    height=st.integers(1, 120),
    width=st.integers(1, 120),
    raised=st.floats(0, 1),
    more=st.floats(0, 3),
)
@settings(max_examples=60)
def test_more_evidence_means_more_probability(
    seed: int, height: int, width: int, raised: float, more: float
) -> None:
    """Wherever it is: no cell can speak against the frame by looking sharper."""
    rows, columns = -(-height // GAUGE_STRIDE), -(-width // GAUGE_STRIDE)
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 1, (rows, columns))
    where = rng.random((rows, columns)) < raised
    light = _flat(height, width)

    before = _judged(light, rule=_always(evidence)).probability
    after = _judged(light, rule=_always(evidence + more * where)).probability
    everywhere = _judged(light, rule=_always(evidence + 0.1 + more)).probability

    assert before <= after <= everywhere


@pytest.mark.parametrize(("top", "left"), [(0, 0), (96, 200), (288, 288)])
def test_a_sharp_spot_of_a_hundredth_of_the_frame_is_enough(top: int, left: int) -> None:
    light = _flat(320, 320)
    everywhere = _judged(_flat(320, 320, 1.0)).probability
    nowhere = _judged(light).probability
    # 40 × 40 cells, of which 16 speak.
    light[top : top + 32, left : left + 32] = 1

    assert _judged(light).probability == pytest.approx(everywhere, rel=1e-6)
    assert everywhere > 0.99
    assert nowhere < 0.25

    light[top : top + 16] = 0
    assert _judged(light).probability == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (4, 6), (2, 3)])
def test_of_a_frame_of_few_cells_the_sharpest_speaks(row: int, column: int) -> None:
    light = _flat(40, 56)
    light[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1

    assert _judged(light).probability > 0.99


def test_the_hundredth_is_of_the_frame_however_little_of_it_is_looked_at() -> None:
    light = _flat(384, 1536)
    count = round(SHARPEST_SHARE * 384 * 1536 / GAUGE_STRIDE**2)
    spots = np.zeros((48, 48), np.float32)
    spots.ravel()[: count // 2] = 1
    light[:, :384] = spots.repeat(8, axis=0).repeat(8, axis=1)[..., None]

    few, all_of_them = _judged(light, most=1), _judged(light)

    assert (len(few.seen), len(all_of_them.seen)) == (1, 4)
    assert few.probability == pytest.approx(0.5, abs=0.1)
    assert few.probability == pytest.approx(all_of_them.probability)


@given(seed=st.integers(0, 50), coc_px=st.floats(1.5, 16))
@settings(max_examples=20)
def test_blur_hardly_ever_makes_a_sharp_picture_more_probable(seed: int, coc_px: float) -> None:
    sharp = make_scene(96, 144, seed)

    before, after = (
        _judged(light, rule=_crispness, offset=-0.2).probability
        for light in (sharp, blurred(sharp, coc_px))
    )

    assert before > 0.5
    assert after <= before + 0.02
    if coc_px > 6:
        assert after < 0.45


# Where is looked.


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 2), (3, 1), (7, 9), (8, 8), (33, 65), (640, 1), (1, 641), (1300, 3), (5, 640)],
)
def test_every_size_will_do(height: int, width: int) -> None:
    for value in (1.0, 0.0):
        found = _judged(_flat(height, width, value))

        assert found.probability > 0.999 if value else found.probability < 0.25
        # Nothing is invented beyond its border.
        assert all(np.allclose(seen, value, atol=1e-3) for seen in found.seen)


@given(
    long=st.integers(1, 1700),
    short=st.integers(1, 20),
    upright=st.booleans(),
    along=st.floats(0, 1),
    across=st.floats(0, 1),
)
@settings(max_examples=60)
def test_all_tiles_together_see_every_pixel(
    long: int, short: int, upright: bool, along: float, across: float
) -> None:
    light = _flat(short, long)
    light[round(across * (short - 1)), round(along * (long - 1))] = 1
    if upright:
        light = np.ascontiguousarray(light.swapaxes(0, 1))

    seen = _judged(light).seen

    assert max(float(tile.max()) for tile in seen) == pytest.approx(1, abs=1e-3)
    assert len(seen) == (1 if long <= 640 else math.ceil(long / 384))
    assert sum(tile.size for tile in seen) >= light.shape[0] * light.shape[1]


@pytest.mark.parametrize("most", [1, 3, 8, 9, ALL])
def test_no_more_tiles_are_looked_at_than_may_be(most: int) -> None:
    found = _judged(_noise(700, 1200), most=most, offset=DOUBT)

    assert len(found.seen) == min(most, 2 * 4)
    assert {tile.shape for tile in found.seen} == {(384, 384)}


@given(
    offset=st.floats(-4, 4),
    levels=st.lists(st.floats(0, 1), min_size=4, max_size=4),
    share=st.floats(0.001, 1),
)
@settings(max_examples=40)
def test_tiles_that_are_spared_would_change_nothing(
    offset: float, levels: list[float], share: float
) -> None:
    light = _flat(8, 1536)
    for column, level in enumerate(levels):
        where = np.random.default_rng(column).random((1, 48)) < share
        spots = np.float32(level) * where.repeat(8, axis=0).repeat(8, axis=1)
        light[:, 384 * column : 384 * (column + 1)] = spots[..., None]
    network = StandIn(_brightness)
    every = [light[:, at : at + 384] for at in range(0, 1536, 384)]
    cells = np.concatenate([network(_as_seen(each)[None, None])[2].ravel() for each in every])
    count = round(SHARPEST_SHARE * 192)
    above = float(np.sort(cells)[-count:].mean()) - offset

    found = _judged(light, offset=offset)

    assert 1 <= len(found.seen) <= 4
    if len(found.seen) < 4:
        assert above >= 1
        assert np.float32(found.probability) == 1
    else:
        expected = max(1 / (1 + math.exp(-20 * above)), 0.9 / (1 + math.exp(-0.3 * above)))
        assert found.probability == pytest.approx(expected, abs=1e-3)


def test_a_frame_that_leaves_no_doubt_is_looked_at_once() -> None:
    light = _flat(700, 1200, 1.0)

    assert len(_judged(light).seen) == 1
    assert len(_judged(light, offset=DOUBT).seen) == 8


@pytest.mark.parametrize(("height", "width"), [(640, 640), (100, 640), (427, 640)])
def test_a_small_picture_is_looked_at_once_and_whole(height: int, width: int) -> None:
    (seen,) = _judged(_noise(height, width), most=8).seen

    assert seen.shape == (math.ceil(height / 8) * 8, 640)


def _as_seen(light: Map) -> Map:
    return np.asarray(encode_srgb(np.ascontiguousarray(light)), np.float32)[..., 0]


def test_the_tiles_with_most_detail_come_first() -> None:
    light = _flat(384, 1536, 0.5)
    amplitudes = (0.1, 0.4, 0.0, 0.2)
    for column, amplitude in enumerate(amplitudes):
        part = slice(384 * column, 384 * (column + 1))
        light[:, part] += np.float32(amplitude) * (_noise(384, 384, column) - np.float32(0.5))

    seen = _judged(light, most=3, offset=DOUBT).seen

    for tile, column in zip(seen, (1, 3, 0), strict=True):
        wanted = _as_seen(light[:, 384 * column : 384 * (column + 1)])
        assert np.allclose(tile, wanted, atol=1e-5)


def test_detail_counts_only_where_something_may_be_in_focus() -> None:
    light = 0.25 * _noise(384, 1536)
    light[:, :384] *= 4
    worth = np.zeros((384, 1536), np.float32)
    worth[100:140, 800:840] = 1

    (seen,) = _judged(light, worth, most=1).seen

    assert np.allclose(seen, _as_seen(light[:, 768:1152]), atol=1e-5)


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("place", [0, 350, 811, 1200, 1568])
def test_a_promising_spot_is_found_by_one_look_wherever_it_is(place: int, upright: bool) -> None:
    light, worth = 0.8 * _noise(24, 1600), np.full((24, 1600), 0.01, np.float32)
    light[:, place : place + 32] *= np.float32(1.25)
    light[:, place + 16] = 1
    worth[:, place : place + 32] = 1
    if upright:
        light, worth = (np.ascontiguousarray(each.swapaxes(0, 1)) for each in (light, worth))

    (seen,) = _judged(light, worth, most=1).seen

    assert seen.max() == pytest.approx(1, abs=1e-3)


# What is asked of others.


def test_what_is_given_stays_as_it_is() -> None:
    light, worth = _noise(50, 700), np.ones((50, 700), np.float32)
    before = light.copy(), worth.copy()

    _judged(light, worth)

    assert np.array_equal(light, before[0])
    assert np.array_equal(worth, before[1])


def test_light_is_encoded_before_it_is_looked_at() -> None:
    light = _flat(16, 24, 0.18)
    light[..., 2] = 0.9
    yellow, blue = (float(_as_seen(_flat(1, 1, value))[0, 0]) for value in (0.18, 0.9))

    (seen,) = _judged(light).seen

    assert seen == pytest.approx(0.886 * yellow + 0.114 * blue, abs=1e-3)


def test_weights_that_are_missing_are_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise WeightsError(f"There are no weights called {name!r}.")

    monkeypatch.setattr(frame, "open_network", missing)

    with pytest.raises(WeightsError, match="'gauge'"):
        focus_probability(_flat(8, 8), np.ones((8, 8), np.float32), 1)
