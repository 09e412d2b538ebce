from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.blurmap import BlurMap
from focuskit.cull.aim import Subject, by_camera, by_faces, regions_on
from focuskit.cull.beside import tell_side
from focuskit.cull.faces import Face
from focuskit.photo import Exif

FACE = Face(0.4, 0.2, 0.2, 0.3, (), sure=True)
EYES = Face(0.4, 0.2, 0.2, 0.3, ((0.46, 0.3), (0.54, 0.3)), sure=True)


def test_the_cameras_point_is_believed() -> None:
    subject = by_camera(Exif(focus_point=(0.3, 0.6)))

    assert subject is not None
    assert subject.kind == "AF point"
    assert subject.sure
    left, top, right, bottom = subject.bounds
    assert left < 0.3 < right
    assert top < 0.6 < bottom


def test_a_central_point_may_have_been_there_by_default() -> None:
    subject = by_camera(Exif(focus_point=(0.5, 0.49)))

    assert subject is not None
    assert not subject.sure


@pytest.mark.parametrize("exif", [Exif(), Exif(focus_point=(0.5, 0.5), focus_area=(0.55, 0.44))])
def test_half_the_frame_is_no_point(exif: Exif) -> None:
    assert by_camera(exif) is None


def test_eyes_go_before_the_face() -> None:
    face, eyes = by_faces([FACE], 1.5), by_faces([EYES], 1.5)

    assert face is not None
    assert face.kind == "face"
    assert eyes is not None
    assert eyes.kind == "eyes"
    assert len(eyes.boxes) == 3


def test_what_is_not_sure_to_be_a_face_is_none() -> None:
    assert by_faces([Face(0.4, 0.2, 0.2, 0.3, (), sure=False)], 1.5) is None


def test_small_faces_decide_nothing_and_the_background_does_not_count() -> None:
    small = by_faces([Face(0.1, 0.1, 0.05, 0.08, (), sure=True)], 1.5)
    both = by_faces([FACE, Face(0.1, 0.1, 0.05, 0.08, (), sure=True)], 1.5)

    assert small is not None
    assert not small.sure
    assert both is not None
    assert len(both.boxes) == 1


@given(
    st.tuples(*[st.floats(0, 1)] * 4),
    st.integers(1, 900),
    st.integers(1, 900),
    st.integers(1, 500),
    st.integers(1, 40),
)
def test_every_box_lies_within_the_frame(
    corners: tuple[float, float, float, float], width: int, height: int, size: int, cells: int
) -> None:
    x0, x1 = sorted(corners[:2])
    y0, y1 = sorted(corners[2:])
    subject = Subject("given", ((x0, y0, x1, y1),), sure=True)
    detail = np.random.default_rng(cells).random((cells, cells + 3), np.float32)

    regions = regions_on(
        subject, frame_width=width, frame_height=height, size_px=size, detail=detail
    )

    assert 1 <= len(regions) <= 3
    for region in regions:
        assert region.kind == "given"
        assert region.width >= 1 <= region.height
        assert 0 <= region.x <= region.x + region.width <= width
        assert 0 <= region.y <= region.y + region.height <= height


def test_of_a_large_subject_the_detailed_parts_are_judged() -> None:
    detail = np.full((100, 150), 0.01, np.float32)
    detail[70:80, 90:100] = 1
    detail[10:20, 10:20] = 9  # outside of it
    subject = Subject("given", ((0.5, 0.5, 1.0, 1.0),), sure=True)

    first = regions_on(subject, frame_width=3000, frame_height=2000, size_px=300, detail=detail)[0]

    assert abs(first.x + 150 - 1900) <= 120
    assert abs(first.y + 150 - 1500) <= 120


def _map(sharp: tuple[slice, slice]) -> BlurMap:
    probability = np.full((100, 150), 0.05, np.float32)
    probability[sharp] = 0.95
    return BlurMap(probability, np.zeros_like(probability), np.ones_like(probability))


BOX = Subject("given", ((0.4, 0.4, 0.6, 0.6),), sure=True)
HEAD = Subject("face", ((0.4, 0.2, 0.6, 0.5),), sure=True, face_width=0.2)


@pytest.mark.parametrize(
    ("subject", "sharp", "side"),
    [
        (BOX, np.s_[80:, :], "front"),
        (BOX, np.s_[:30, :], "back"),
        (BOX, np.s_[:, :30], None),
        (BOX, np.s_[:0, :], None),
        (HEAD, np.s_[:70, :], "back"),
        (HEAD, np.s_[75:, :], "front"),
    ],
)
def test_the_layout_hints_at_the_side(
    subject: Subject, sharp: tuple[slice, slice], side: str | None
) -> None:
    found, hint = tell_side(subject, _map(sharp), Exif(), 1.5)

    assert found == side
    assert bool(hint) == (side is not None)


@pytest.mark.parametrize(
    ("focus_m", "side"), [(5.0, "back"), (math.inf, "back"), (0.5, "front"), (1.9, None)]
)
def test_focus_distance_against_the_size_of_a_face(focus_m: float, side: str | None) -> None:
    # 0.16 m on a fifth of 36 mm at 85 mm: 1.9 m away.
    exif = Exif(focus_distance_m=focus_m, focal_length_mm=85, sensor_width_mm=36)

    found, hint = tell_side(HEAD, _map(np.s_[:0, :]), exif, 1.5)

    assert found == side
    assert ("1.9 m" in hint) == (side is not None)


def test_measured_distance_beats_the_layout() -> None:
    exif = Exif(focus_distance_m=0.5, focal_length_mm=85, sensor_width_mm=36)

    assert tell_side(HEAD, _map(np.s_[:70, :]), exif, 1.5)[0] == "front"
