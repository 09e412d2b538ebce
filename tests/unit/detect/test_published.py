from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.detect import DETECTORS, published
from focuskit.detect.lbp import detect_lbp
from focuskit.detect.loading import NETWORKS, network_class
from focuskit.detect.published import SIDE, Published
from tests.scenes import as_photo, make_scene

Map = NDArray[np.float32]
SYSTEMS = [row.name for row in DETECTORS if row.target.startswith(published.__name__)]


class _Half:
    """A network that finds the left half in focus and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Map] = []

    def __call__(self, picture: Map) -> tuple[Map, ...]:
        self.seen.append(picture)
        found = np.zeros((1, *picture.shape[2:]), np.float32)
        found[:, :, : picture.shape[3] // 2] = 1
        return (found,)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> _Half:
    made = _Half()
    monkeypatch.setattr(published, "open_network", lambda name: (made, SimpleNamespace()))
    monkeypatch.setattr(published, "weight_names", lambda: ["half"])
    return made


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((640, 900), (SIDE, SIDE)),
        ((320, 320), (SIDE, SIDE)),
        ((97, 131), (96, 128)),
        ((1, 1), (32, 32)),
        ((7, 2000), (32, SIDE)),
    ],
)
def test_the_network_sees_the_squashed_frame(
    network: _Half, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    photo = as_photo(np.full((*size, 3), 0.18, np.float32))

    found = Published("half")(photo)

    (picture,) = network.seen
    assert picture.shape == (1, 3, *seen)
    assert picture == pytest.approx(encode_srgb(np.full((1, 1, 3), 0.18, np.float32))[0, 0, 0])
    assert found.in_focus_probability.shape == size


def test_highlights_are_clipped_before_shrinking(network: _Half) -> None:
    light = np.full((640, 640, 3), 0.0, np.float32)
    light[::2] = 1e30

    Published("half")(as_photo(light))

    half = encode_srgb(np.full((1, 1, 3), 0.5, np.float32))[0, 0, 0]
    assert network.seen[0] == pytest.approx(half, abs=1e-3)


def test_the_map_is_the_networks_and_the_rest_is_measured(network: _Half) -> None:
    photo = as_photo(make_scene(400, 500, seed=3))

    found, measured = Published("half")(photo), detect_lbp(photo)

    assert found.in_focus_probability[:, :240].min() > 0.9
    assert found.in_focus_probability[:, 260:].max() < 0.1
    assert np.array_equal(found.coc_diameter_px, measured.coc_diameter_px)
    assert np.array_equal(found.confidence, measured.confidence)


def test_a_smaller_map_costs_one_look(network: _Half) -> None:
    photo = as_photo(make_scene(400, 500, seed=3))

    small = Published("half").at(photo, 100, 125)

    assert (small.height, small.width) == (100, 125)
    assert len(network.seen) == 1
    assert small.in_focus_probability[:, :58].min() > 0.9


def test_every_row_has_its_network_and_its_paper() -> None:
    assert len(SYSTEMS) == 5
    papers = {row.name: row.paper for row in DETECTORS}
    for name in SYSTEMS:
        assert DETECTORS.get(name).networks == (name,)
        assert papers[name]
        assert name in NETWORKS


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_kinds_are_those_of_their_classes(kind: str) -> None:
    made = network_class(kind)

    assert made.KIND == kind
    if kind in SYSTEMS:
        assert made.OUTPUTS == ("in_focus_probability",)
        assert published._STRIDE % made.STRIDE == 0  # type: ignore[attr-defined]
