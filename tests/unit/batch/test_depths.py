"""The blur that a lens draws of known distances, against the formula, and what keeps it away."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.batch.depths import map_by_lens
from focuskit.io import Depth
from focuskit.photo import Exif, Photo

HEIGHT, WIDTH = 40, 60
# Portrait lens wide open, focused at 2 m, on full frame.
EXIF = Exif(focal_length_mm=85.0, f_number=1.4, focus_distance_m=2.0, sensor_width_mm=36.0)


@pytest.fixture
def photo() -> Photo:
    return Photo(np.full((HEIGHT, WIDTH, 3), 0.2, np.float32), exif=EXIF)


@pytest.fixture
def distance_mm() -> NDArray[np.float32]:
    """From 1 m at the left to 20 m at the right, 2 m in the middle."""
    steps = np.concatenate([np.linspace(1000, 2000, 31), np.linspace(2000, 20_000, 30)[1:]])
    return np.tile(steps, (HEIGHT, 1)).astype(np.float32)


def coc_px(distance_mm: float, focused_mm: float = 2000.0, width_px: float = WIDTH) -> float:
    """Similar triangles, written out: where the cone of light meets the sensor."""
    f, aperture_mm = 85.0, 85.0 / 1.4
    image_mm = 1 / (1 / f - 1 / distance_mm)
    sensor_mm = 1 / (1 / f - 1 / focused_mm)
    return aperture_mm * abs(image_mm - sensor_mm) / image_mm * width_px / 36.0


@pytest.mark.parametrize("unit_mm", [1.0, 1000.0])
def test_distances_and_exif_give_the_blur_that_light_draws(
    photo: Photo, distance_mm: NDArray[np.float32], unit_mm: float
) -> None:
    depth = Depth(distance_mm / np.float32(unit_mm), of_steps=False)

    found = map_by_lens(photo, depth, None)

    assert found is not None
    expected = [coc_px(float(each)) for each in distance_mm[0]]
    assert found.coc_diameter_px[0] == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert found.side is not None
    assert (found.side[:, :30] == -1).all()
    assert (found.side[:, 31:] == 1).all()
    assert found.in_focus_probability[0, 30] == 1
    assert found.in_focus_probability[0, [0, -1]].max() < 1
    assert found.confidence.min() == 1


def test_a_point_is_nearer_the_truth_than_exif(
    photo: Photo, distance_mm: NDArray[np.float32]
) -> None:
    found = map_by_lens(photo, Depth(distance_mm, of_steps=False), (45.0, 20.0))

    assert found is not None
    focused = float(distance_mm[0, 45])
    assert found.coc_diameter_px[20, 45] == pytest.approx(0, abs=1e-3)
    assert found.coc_diameter_px[0, 0] == pytest.approx(coc_px(1000, focused), rel=1e-3)


def test_a_preview_has_smaller_circles(photo: Photo, distance_mm: NDArray[np.float32]) -> None:
    half = Photo(photo.rgb[::2, ::2], exif=EXIF, scale=0.5)

    found = map_by_lens(half, Depth(distance_mm[::2, ::2].copy(), of_steps=False), None)

    assert found is not None
    assert found.coc_diameter_px[0, 0] == pytest.approx(coc_px(1000, width_px=WIDTH / 2), rel=1e-3)


def test_focused_at_infinity(photo: Photo, distance_mm: NDArray[np.float32]) -> None:
    far = replace(photo, exif=replace(EXIF, focus_distance_m=math.inf))

    found = map_by_lens(far, Depth(distance_mm, of_steps=False), None)

    assert found is not None
    assert found.coc_diameter_px[0, 0] == pytest.approx(85**2 / 1.4 / 1000 * WIDTH / 36, rel=1e-3)
    assert found.side is not None
    assert found.side.max() == -1


@pytest.mark.parametrize(
    "missing", ["focal_length_mm", "f_number", "focus_distance_m", "sensor_width_mm"]
)
def test_what_is_not_known_is_not_made_up(
    photo: Photo, distance_mm: NDArray[np.float32], missing: str
) -> None:
    less = replace(photo, exif=replace(EXIF, **{missing: None}))

    assert map_by_lens(less, Depth(distance_mm, of_steps=False), None) is None


def test_steps_and_scenes_without_the_plane_are_no_distances(
    photo: Photo, distance_mm: NDArray[np.float32]
) -> None:
    def refused(values: NDArray[np.float32], *, of_steps: bool = False) -> bool:
        return map_by_lens(photo, Depth(values, of_steps=of_steps), None) is None

    assert refused(distance_mm, of_steps=True)
    # Feet, shares of the range, holes: in neither unit does the plane lie in such a scene.
    assert refused(distance_mm / np.float32(304.8))
    assert refused(distance_mm / np.float32(20_000))
    assert refused(np.where(distance_mm > 5000, np.float32(0), distance_mm))
