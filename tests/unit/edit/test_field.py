"""Dense circles of confusion for the edits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.edit.field import coc_field, even_field
from focuskit.errors import ShapeError
from focuskit.photo import Photo

Map = NDArray[np.float32]
SHAPE = (120, 160)
FIELDS = [coc_field, even_field]


def _photo() -> Photo:
    return Photo(np.random.default_rng(1).random((*SHAPE, 3), np.float32))


def _map(coc: Map, probability: Map, confidence: float) -> BlurMap:
    return BlurMap(probability, coc, np.full(SHAPE, confidence, np.float32))


def _noisy_halves(seed: int) -> tuple[Map, Map]:
    """Return in-focus probability and circles: sharp on the left, about 8 px on the right."""
    rng = np.random.default_rng(seed)
    probability = np.zeros(SHAPE, np.float32)
    probability[:, :80] = 1
    coc = np.where(probability > 0, 1, 8 * np.exp(rng.normal(0, 0.3, SHAPE)))
    return probability, coc.astype(np.float32)


@pytest.mark.parametrize("field", FIELDS)
def test_a_map_that_is_sure_is_taken_as_it_is(field: object) -> None:
    probability, coc = _noisy_halves(3)

    found = field(_photo(), _map(coc, probability, 1.0))  # type: ignore[operator]

    assert np.array_equal(found[:, 80:], coc[:, 80:])
    assert not found[:, :80].any()


def test_guesses_become_even_right_up_to_the_subject() -> None:
    probability, coc = _noisy_halves(4)

    found = even_field(_photo(), _map(coc, probability, 0.8))

    assert not found[:, :80].any()
    assert found[:, 80:].std() < 0.5 * coc[:, 80:].std()
    # What is in focus next to it does not make the background less blurred.
    assert found[:, 80:84].mean() == pytest.approx(8, rel=0.1)


def test_two_surfaces_behind_stay_two() -> None:
    coc = np.full(SHAPE, 4, np.float32)
    coc[:, 80:] = 20

    found = even_field(_photo(), _map(coc, np.zeros(SHAPE, np.float32), 0.7))

    assert found[:, :70] == pytest.approx(4, rel=0.1)
    assert found[:, 90:] == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("field", FIELDS)
def test_the_map_of_another_photo_is_refused(field: object) -> None:
    other = np.zeros((SHAPE[0], SHAPE[1] + 1), np.float32)

    with pytest.raises(ShapeError, match="161×120 pixels, its photo 160×120"):
        field(_photo(), BlurMap(other, other, other))  # type: ignore[operator]
