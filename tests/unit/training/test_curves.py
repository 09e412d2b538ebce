from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.errors import OutputError
from focuskit.training.curves import (
    PICTURES,
    WORST,
    Case,
    draw_pictures,
    make_case,
    need_matplotlib,
    worst_cases,
)
from focuskit.training.metrics import PhotoScore, mean_curves, score_photo, summarise


def case(name: str, *, right: float, height: int = 60, width: int = 90) -> Case:
    """A photo whose sharp half is found with probability `right`, the other likewise not."""
    mask = np.zeros((height, width), np.bool_)
    mask[:, : width // 2] = True
    probability = np.where(mask, right, 1 - right).astype(np.float32)
    rgb = np.full((height, width, 3), 0.2, np.float32)
    return make_case(name, score_photo(probability, mask), rgb, mask, probability)


def pictures(cases: list[Case], scores: list[PhotoScore]) -> dict[str, NDArray[np.uint8]]:
    drawn = draw_pictures(mean_curves(scores), summarise(scores, resamples=20), cases, "A title")
    return {
        name: cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        for name, data in drawn.items()
    }


def test_all_pictures_are_drawn() -> None:
    cases = [case(f"im{i}", right=0.6 + i / 40, height=50 + i) for i in range(10)]

    drawn = pictures(cases, [each.score for each in cases])

    assert tuple(drawn) == PICTURES
    for picture in drawn.values():
        assert min(picture.shape[:2]) > 500
        # White paper with something on it.
        assert (picture[0, 0] == 255).all()
        assert 0.005 < (picture < 200).mean() < 0.9


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_sheet_of_few_photos_is_drawn(count: int) -> None:
    cases = [case(f"im{i}", right=0.9) for i in range(count)]

    sheet = pictures(cases, [each.score for each in cases])["worst.png"]

    assert sheet.shape[1] > 1000


def test_a_set_of_one_class_and_odd_names_are_drawn() -> None:
    sharp = np.ones((9, 9), np.bool_)
    score = score_photo(np.full((9, 9), 0.5, np.float32), sharp)
    rgb = np.zeros((9, 9, 3), np.float32)
    odd = make_case("$x_{ _5%<b>" * 5, score, rgb, sharp, np.full((9, 9), 0.5, np.float32))

    assert set(pictures([odd], [score])) == set(PICTURES)


def test_a_certain_detector_has_all_its_thresholds_in_one_place() -> None:
    perfect = case("perfect", right=1.0)

    assert set(pictures([perfect], [perfect.score])) == set(PICTURES)


def test_the_worst_come_first_and_ties_by_name() -> None:
    cases = [case(f"im{i:02}", right=0.95 - 0.05 * (i % 7)) for i in range(14)]

    worst = worst_cases(cases)

    assert len(worst) == WORST
    assert [each.name for each in worst[:4]] == ["im06", "im13", "im05", "im12"]


def test_a_case_is_small_and_looks_like_its_photo() -> None:
    kept = case("large", right=0.75, height=600, width=900)

    assert kept.photo.shape == (240, 360, 3)
    assert kept.truth.shape == kept.probability.shape == (240, 360)
    # Linear 0.2 is 124 of 255 on the screen.
    assert (kept.photo == 124).all()
    assert kept.probability[0, 0] == pytest.approx(0.75)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(OutputError, match=r"pip install 'focuskit\[train\]'"):
        need_matplotlib()


def test_evaluation_imports_neither_torch_nor_matplotlib_by_itself() -> None:
    code = (
        "import sys, focuskit.training.curves, focuskit.training.datasets\n"
        "sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
