"""What moving the plane of focus asks for, whatever the map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.blurmap import BlurMap
from focuskit.edit.plane import Plane, moves_to
from focuskit.edit.refocus import refocus
from focuskit.photo import Photo
from tests.scenes import blurred, make_scene

few = settings(max_examples=5, deadline=None)
cocs = st.floats(0, 80, width=32)
planes = st.floats(1.5, 80, width=32)


def _map_of(coc_px: np.ndarray, side: np.ndarray | None = None) -> BlurMap:
    coc = coc_px.astype(np.float32)
    sharp = (coc < 1).astype(np.float32)
    return BlurMap(sharp, coc, np.ones_like(coc), side)


@given(now=cocs, own=planes)
def test_blur_that_is_added_makes_the_circle_its_distance_from_the_plane(
    now: float, own: float
) -> None:
    values = np.array([[now]], np.float32)

    moves = moves_to(Plane(own, 1.0), values, _map_of(values))

    added, wanted = abs(float(moves.added_px[0, 0])), abs(now - own)
    assert np.hypot(now, added) == pytest.approx(max(now, wanted), rel=1e-3, abs=1e-3)
    # Nothing is both blurred and sharpened, and never is more taken back than the plane's own.
    removed = float(moves.removed_px[0, 0])
    assert added == 0 or removed == 0
    assert removed <= own * (1 + 1e-6)


@given(own=planes)
def test_the_plane_itself_gets_all_its_blur_taken_back(own: float) -> None:
    values = np.full((2, 2), own, np.float32)

    moves = moves_to(Plane(own, 1.0), values, _map_of(values))

    assert moves.removed_px == pytest.approx(values, rel=1e-5)
    assert np.all(moves.added_px == 0)
    assert np.all(moves.nearness == 1)


@given(now=cocs, own=planes)
def test_both_sides_are_mirror_images(now: float, own: float) -> None:
    values = np.array([[now, now]], np.float32)
    side = np.array([[1, -1]], np.int8)

    behind = moves_to(Plane(own, 1.0), values, _map_of(values, side))
    before = moves_to(Plane(-own, 1.0), values, _map_of(values, side))

    assert np.array_equal(behind.added_px, -before.added_px[:, ::-1])
    assert np.array_equal(behind.removed_px, before.removed_px[:, ::-1])
    # What lies on the other side gets farther from the plane by all of its own blur.
    other = float(behind.added_px[0, 1])
    assert other <= 0
    assert np.hypot(now, other) == pytest.approx(now + own, rel=1e-3)


@given(seed=st.integers(0, 50))
@few
def test_a_mirrored_photo_is_refocused_mirrored(seed: int) -> None:
    scene = make_scene(64, 96, seed)
    scene[:, 48:] = blurred(scene, 5.0)[:, 48:]
    coc = np.zeros((64, 96), np.float32)
    coc[:, 48:] = 5

    plain = refocus(Photo(scene), _map_of(coc), point=(80.0, 32.0), grain=False).photo.rgb
    flipped = Photo(np.ascontiguousarray(scene[:, ::-1]))
    mirrored = refocus(flipped, _map_of(coc[:, ::-1].copy()), point=(15.0, 32.0), grain=False)

    # Cells that hidden parts are filled from begin at the left and the top.
    off, change = np.abs(mirrored.photo.rgb[:, ::-1] - plain), np.abs(plain - scene)
    assert off.mean() < 0.15 * change.mean()
