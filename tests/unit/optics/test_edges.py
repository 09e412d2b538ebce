from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encoded_gray
from focuskit.optics.edges import RESOLVABLE_SIGMA_PX, measure_edges
from tests.scenes import as_photo, blurred, make_scene


def _gray(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    return encoded_gray(as_photo(rgb))


def _quantile(picture: NDArray[np.float32], share: float) -> float:
    edges = measure_edges(picture)
    order = np.argsort(edges.sigma_px)
    heard = np.cumsum(edges.weight[order])
    return float(edges.sigma_px[order][np.searchsorted(heard, share * heard[-1])])


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (15, 15), (17, 200)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_no_edges_in_what_has_none(shape: tuple[int, int], level: float) -> None:
    edges = measure_edges(np.full(shape, level, np.float32))

    assert len(edges) == 0
    assert edges.sigma_px.dtype == np.float32


def test_a_step_between_pixels_is_too_sharp_to_measure() -> None:
    step = np.full((64, 64), 0.3, np.float32)
    step[:, 32:] = 0.7

    edges = measure_edges(step)

    assert len(edges) > 50
    assert edges.sigma_px.max() == 0
    assert edges.contrast == pytest.approx(0.4, rel=0.1)
    assert np.abs(edges.angle_rad).max() < 0.1
    assert np.abs(edges.x - 31.5).max() <= 0.5


def test_values_below_the_limit_read_zero() -> None:
    edges = measure_edges(_gray(make_scene(200, 280, seed=1)))

    widths = edges.sigma_px
    assert ((widths == 0) | (widths >= RESOLVABLE_SIGMA_PX)).all()
    assert (edges.weight > 0).all()
    assert (edges.weight <= 1).all()


def test_clipped_edges_are_left_out() -> None:
    step = np.full((64, 64), 0.3, np.float32)
    step[:, 32:] = 1.0

    assert len(measure_edges(step)) == 0


@pytest.mark.parametrize("quality", [95, 60])
def test_a_jpeg_grid_is_no_sharp_edge(quality: int) -> None:
    soft = (_gray(blurred(make_scene(240, 320, seed=2), 12.0)) * 255).round().astype(np.uint8)
    _, data = cv2.imencode(".jpg", soft, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255

    assert _quantile(decoded, 0.1) > 1.2


def test_motion_widens_only_edges_across_its_path() -> None:
    streak = np.full((1, 13), 1 / 13, np.float32)
    scene = cv2.filter2D(make_scene(240, 320, seed=2), -1, streak)

    edges = measure_edges(_gray(scene))

    across = np.abs(edges.angle_rad) < 0.4
    along = np.abs(edges.angle_rad) > 1.17
    assert np.median(edges.sigma_px[across]) > 2 * np.median(edges.sigma_px[along])


def test_the_widest_edges_asked_for() -> None:
    soft = _gray(blurred(make_scene(240, 320, seed=2), 30.0))

    assert measure_edges(soft, max_sigma_px=4.0).sigma_px.max() < 10
