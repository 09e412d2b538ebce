"""A point that is to stay sharp, without any depth."""

from __future__ import annotations

import numpy as np
import pytest

from focuskit.batch.clicked import kept_at
from focuskit.blurmap import BlurMap
from focuskit.errors import InputError

HEIGHT, WIDTH = 300, 400


def stripes(*cocs: float) -> BlurMap:
    """Upright stripes of equal width, blurred by so many pixels."""
    columns = np.repeat(np.array(cocs, np.float32), WIDTH // len(cocs))
    coc = np.tile(columns, (HEIGHT, 1))
    return BlurMap(np.clip((3 - coc) / 2, 0, 1), coc, np.ones_like(coc))


def test_what_is_as_sharp_stays_and_the_rest_counts_from_there() -> None:
    before = stripes(0, 0.8, 5, 12)

    kept = kept_at(before, (150.0, 100.0))

    assert (kept.coc_diameter_px[:, :200] == 0).all()
    assert (kept.in_focus_probability[:, :200] == 1).all()
    assert kept.coc_diameter_px[0, 250] == pytest.approx(4.2)
    assert kept.coc_diameter_px[0, 350] == pytest.approx(11.2)
    assert np.array_equal(kept.in_focus_probability[:, 200:], before.in_focus_probability[:, 200:])
    assert np.array_equal(kept.confidence, before.confidence)


def test_a_point_in_focus_changes_nothing() -> None:
    before = stripes(0, 5, 12, 12)

    kept = kept_at(before, (50.0, 100.0))

    assert np.array_equal(kept.coc_diameter_px, before.coc_diameter_px)
    assert np.array_equal(kept.in_focus_probability, before.in_focus_probability)


def test_a_map_that_calls_a_slightly_soft_subject_blurred_is_overruled() -> None:
    before = stripes(0.9, 9)
    wrong = BlurMap(
        np.zeros_like(before.coc_diameter_px), before.coc_diameter_px, before.confidence
    )

    kept = kept_at(wrong, (100.0, 100.0))

    assert (kept.in_focus_probability[:, :200] == 1).all()
    assert (kept.in_focus_probability[:, 200:] == 0).all()


@pytest.mark.parametrize(
    ("cocs", "x", "words"),
    [((0, 12), 300.0, "use refocus"), ((0.0, 0.0), 300.0, "Nothing in this photo is more out")],
)
def test_points_that_leave_nothing_to_do_are_sentences(
    cocs: tuple[float, ...], x: float, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        kept_at(stripes(*cocs), (x, 100.0))
