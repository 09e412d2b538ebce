from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.blurmap import BlurMap
from focuskit.cull.subject import choose_regions


def _map(
    height: int = 100, width: int = 150, *, sharp: tuple[int, int] | None = None, texture: float = 1
) -> BlurMap:
    probability = np.full((height, width), 0.05, np.float32)
    if sharp is not None:
        probability[sharp[0] : sharp[0] + 20, sharp[1] : sharp[1] + 20] = 0.95
    even = np.full((height, width), texture, np.float32)
    return BlurMap(probability, np.zeros_like(probability), even)


def test_it_looks_where_the_photo_is_in_focus() -> None:
    regions = choose_regions(
        _map(sharp=(10, 110)), frame_width=1500, frame_height=1000, size_px=200
    )

    first = regions[0]
    assert first.kind == "in-focus area"
    assert abs(first.x - 1100) <= 30
    assert abs(first.y - 100) <= 30
    assert (first.width, first.height) == (200, 200)


def test_without_focus_it_looks_at_what_has_texture() -> None:
    regions = choose_regions(_map(), frame_width=1500, frame_height=1000, size_px=200)

    assert len(regions) == 3
    assert all(region.kind == "sharpest tiles" for region in regions)


def test_without_texture_it_looks_at_the_centre() -> None:
    regions = choose_regions(_map(texture=0), frame_width=1500, frame_height=1000, size_px=200)

    assert [region.kind for region in regions] == ["centre"]
    assert abs(regions[0].x - 650) <= 10
    assert abs(regions[0].y - 400) <= 10


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 900),
    st.integers(1, 900),
    st.integers(1, 500),
)
def test_every_region_lies_within_the_frame(
    height: int, width: int, frame_height: int, frame_width: int, size: int
) -> None:
    rng = np.random.default_rng(height * 61 + width)
    noise = rng.random((3, height, width), np.float32)

    regions = choose_regions(
        BlurMap(*noise), frame_width=frame_width, frame_height=frame_height, size_px=size
    )

    assert regions
    for region in regions:
        assert 0 <= region.x <= region.x + region.width <= frame_width
        assert 0 <= region.y <= region.y + region.height <= frame_height
        assert region.width == min(size, frame_width)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_regions_do_not_lie_on_each_other(count: int) -> None:
    regions = choose_regions(_map(), frame_width=1500, frame_height=1000, size_px=200, count=count)

    assert len(regions) == count
    for index, one in enumerate(regions):
        for other in regions[index + 1 :]:
            assert max(abs(one.x - other.x), abs(one.y - other.y)) >= 90
