"""How the detector looks: where, how often, and what it makes of what it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.detect import focusnet
from focuskit.detect.focusnet import FocusNetDetector
from focuskit.detect.weights import Weights
from focuskit.errors import DeviceError, RangeError
from focuskit.photo import Photo
from tests.scenes import as_photo, make_scene

Map = NDArray[np.float32]
SURE = 6.0


@dataclass
class FakeNetwork:
    """Says of each picture what it is told to, and remembers the sizes that it saw."""

    first: float = SURE
    close: float = SURE
    coc_px: float = 3.0
    seen: list[tuple[int, int]] = field(default_factory=list)
    judged: list[tuple[tuple[int, ...], tuple[int, ...], int]] = field(default_factory=list)

    def __call__(self, rgb: Map) -> tuple[Map, Map, Map]:
        height, width = rgb.shape[2:]
        logit = self.close if self.seen else self.first
        self.seen.append((height, width))
        shape = (1, height // 2, width // 2)
        return (
            np.full(shape, logit, np.float32),
            np.full(shape, np.log2(1 + self.coc_px), np.float32),
            np.full(shape, SURE, np.float32),
        )


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeNetwork]:
    def install(*, frame: float = 1.0, **settings: float) -> FakeNetwork:
        network = FakeNetwork(**settings)

        def judge(light: Map, worth: Map, most: int) -> float:
            network.judged.append((light.shape, worth.shape, most))
            return frame

        monkeypatch.setattr(focusnet, "focus_probability", judge)
        fusion = {"first": [1.0, 0.0], "both": [0.5, 0.5, 0.0]}
        weights = Weights("fake", {}, {"fusion": fusion})
        monkeypatch.setattr(focusnet, "open_network", lambda name: (network, weights))
        return network

    return install


def _photo(height: int, width: int) -> Photo:
    return as_photo(make_scene(height, width, seed=2))


def test_a_small_photo_is_looked_at_once(pretend: Callable[..., FakeNetwork]) -> None:
    network = pretend()

    found = FocusNetDetector()(_photo(320, 320))

    assert network.seen == [(320, 320)]
    assert found.in_focus_share == 1


def test_a_larger_one_twice_and_closer(pretend: Callable[..., FakeNetwork]) -> None:
    network = pretend()

    FocusNetDetector()(_photo(427, 640))

    first, close = network.seen
    assert first[0] * first[1] < 0.5 * close[0] * close[1]
    assert close == (448, 640)


def test_the_quick_one_never_twice(pretend: Callable[..., FakeNetwork]) -> None:
    network = pretend()

    focusnet.detect_focusnet_quick(_photo(900, 1400))

    assert len(network.seen) == 1


def test_looks_are_limited_and_sides_suit_the_network(
    pretend: Callable[..., FakeNetwork],
) -> None:
    network = pretend()

    FocusNetDetector(close_looks=3)(_photo(1061, 1597))

    assert len(network.seen) == 1 + 3
    assert all(height % 32 == width % 32 == 0 for height, width in network.seen)


def test_what_is_blurred_in_small_is_not_looked_at_again(
    pretend: Callable[..., FakeNetwork],
) -> None:
    network = pretend(first=-SURE)

    found = FocusNetDetector()(_photo(900, 1400))

    assert len(network.seen) == 1
    assert found.in_focus_share == 0


def test_blur_that_shows_only_closely_darkens_the_whole_map(
    pretend: Callable[..., FakeNetwork],
) -> None:
    pretend(first=2.0, close=-SURE)

    found = FocusNetDetector(close_looks=2)(_photo(1061, 1597))

    assert found.in_focus_share == 0


def test_where_the_frame_shows_nothing_sharp_the_map_is_dark(
    pretend: Callable[..., FakeNetwork],
) -> None:
    network = pretend(frame=0.2)

    found = FocusNetDetector()(_photo(900, 1800))

    assert found.in_focus_probability.max() == pytest.approx(0.2, abs=0.01)
    assert found.in_focus_share == 0
    # Judged at the size that decides what counts as blurred.
    assert network.judged == [((800, 1600, 3), (400, 800), 8)]


@pytest.mark.parametrize(("frame_looks", "shape"), [(0, (600, 800)), (8, (330, 490))])
def test_that_question_can_be_left_out_and_is_where_photos_are_too_small_for_it(
    pretend: Callable[..., FakeNetwork], frame_looks: int, shape: tuple[int, int]
) -> None:
    network = pretend(frame=0.0)

    found = FocusNetDetector(frame_looks=frame_looks)(_photo(*shape))

    assert found.in_focus_share == 1
    assert not network.judged


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_circle_of_confusion_is_in_pixels_of_the_photo(
    pretend: Callable[..., FakeNetwork], factor: int
) -> None:
    pretend(coc_px=3.0)

    found = FocusNetDetector(close_looks=0)(_photo(320 * factor, 320 * factor))

    assert np.allclose(found.coc_diameter_px, 3.0 * factor, rtol=0.02)


def test_strips_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = make_scene(512, 640, seed=4) * np.float32(1.5)
    whole = focusnet._clipped(rgb, 4)

    monkeypatch.setattr(focusnet, "_STRIP", 16)

    assert np.allclose(focusnet._clipped(rgb, 4), whole, atol=1e-6)
    assert whole.shape == (128, 160, 3)
    assert whole.max() <= 1


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(RangeError, match="close_long_edge"):
        FocusNetDetector(close_long_edge=8)
    with pytest.raises(RangeError, match="close_looks"):
        FocusNetDetector(close_looks=-1)
    with pytest.raises(RangeError, match="frame_looks"):
        FocusNetDetector(frame_looks=-1)


def test_too_little_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(rgb: Map) -> tuple[Map, Map, Map]:
        raise MemoryError

    weights = Weights("fake", {}, {"fusion": {}})
    monkeypatch.setattr(focusnet, "open_network", lambda name: (exhausted, weights))

    with pytest.raises(DeviceError, match=r"too little memory .*64×48.*--workers 1"):
        FocusNetDetector()(_photo(48, 64))
