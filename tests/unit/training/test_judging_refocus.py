"""Judging by photos that a camera took: the cases, the figures, and who is kept from whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from focuskit.edit.edited import Edited
from focuskit.errors import InputError
from focuskit.training import judging_refocus
from focuskit.training.judging_cases import Case, as_light, part_of
from focuskit.training.judging_pairs import RETOUCHED, pair_cases
from focuskit.training.judging_refocus import judge_case, judge_refocus
from focuskit.training.judging_scenes import Part
from focuskit.training.judging_sweeps import COC_PX_PER_FRAME, sweep_cases
from focuskit.training.sources import HELD_OUT_SCENES
from tests.scenes import blurred, make_scene
from tests.unit.training._make import encoded

HEIGHT, WIDTH, MIDDLE = 176, 240, 120
NUMBERS = tuple(range(1, 30, 2))
NEAR, FAR = 9, 21


def _write_pair(folder: Path, name: str) -> None:
    sharp = make_scene(HEIGHT, WIDTH, 1)
    soft = blurred(sharp, 6.0)
    left = np.arange(WIDTH)[None, :, None] < MIDDLE
    (folder / name).mkdir(parents=True)
    for letter, pixels in (("A", np.where(left, sharp, soft)), ("B", np.where(left, soft, sharp))):
        cv2.imwrite(str(folder / name / f"{name}_{letter}.png"), encoded(pixels)[..., ::-1])


def _write_sweep(folder: Path) -> None:
    """Drawn at twice the size, as frames are halved."""
    folder.mkdir(parents=True)
    scene = make_scene(2 * HEIGHT, 2 * WIDTH, 5)
    left = np.arange(2 * WIDTH)[None, :, None] < 2 * MIDDLE
    for number in NUMBERS:
        ends = (blurred(scene, 2 * COC_PX_PER_FRAME * abs(number - best)) for best in (NEAR, FAR))
        frame = encoded(np.where(left, *ends))
        cv2.imwrite(str(folder / f"frame{number}.png"), frame[..., ::-1])
    depth = np.full((2 * HEIGHT, 2 * WIDTH), NEAR, np.uint8)
    depth[:, 2 * MIDDLE :] = FAR
    cv2.imwrite(str(folder / "depth_index.png"), depth)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    _write_pair(root / "multifocus", "mffw_04")
    _write_pair(root / "multifocus", "mffw_03")
    _write_pair(root / "multifocus", "aymaz_03")
    _write_sweep(root / "focal-sweeps" / "exp10")
    return root


@pytest.fixture(scope="module")
def pairs(data: Path) -> list[Case]:
    return list(pair_cases(data / "multifocus", Part.DEVELOPMENT))


@pytest.fixture(scope="module")
def sweeps(data: Path) -> list[Case]:
    return list(sweep_cases(data / "focal-sweeps", Part.DEVELOPMENT))


def test_scenes_are_split_for_good_and_what_was_held_back_judges() -> None:
    assert {part_of(scene) for scene in HELD_OUT_SCENES} == {Part.JUDGING}
    assert {part_of(scene) for scene in ("flowerLady", "mug")} == {Part.JUDGING}
    assert {part_of(scene) for scene in ("avery", "avery3", "exp10")} == {Part.DEVELOPMENT}


def test_pairs_are_asked_both_ways_at_a_point_that_is_sharp_in_the_answer(
    pairs: list[Case],
) -> None:
    assert [case.name for case in pairs] == ["mffw_04 A to B", "mffw_04 B to A"]
    assert "aymaz_03".startswith(RETOUCHED)
    first, second = pairs
    assert first.settings["point"][0] > MIDDLE > second.settings["point"][0]
    blur = first.true_map.coc_diameter_px
    assert np.median(blur[:, : MIDDLE - 20]) == 0
    assert np.median(blur[:, MIDDLE + 20 :]) == pytest.approx(6, rel=0.15)


def test_sweeps_know_sides_and_sizes(sweeps: list[Case]) -> None:
    asked = {case.name: case for case in sweeps if case.operation == "refocus"}

    assert set(asked) == {"exp10 9 to 21", "exp10 21 to 9"}
    true = asked["exp10 9 to 21"].true_map
    assert true.side is not None
    assert np.all(true.side[:, MIDDLE + 5 :] == 1)
    assert np.median(true.coc_diameter_px[:, MIDDLE + 5 :]) == pytest.approx(12 * COC_PX_PER_FRAME)
    for case in sweeps:
        if case.operation == "magnify":
            assert 1 < case.settings["factor"] <= 6
            assert 0 < case.judged.mean() < 1
    assert any(case.operation == "magnify" for case in sweeps)


def test_the_truth_itself_succeeds_and_what_is_worse_fails(
    pairs: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = pairs[0]
    believed = np.ones(case.judged.shape, np.float32)
    worse = np.clip(2 * case.before.rgb - case.after, 0, None)

    def judged(rgb: np.ndarray, confidence: np.ndarray) -> dict[str, object]:
        edited = Edited(case.before.with_rgb(rgb), confidence, (), 1.0)
        monkeypatch.setattr(judging_refocus.OPERATIONS, "get", lambda _: lambda *_a, **_k: edited)
        return judge_case(case, case.true_map)

    good, bad = judged(case.after, believed), judged(worse, believed)
    unclaimed, silent = judged(worse, 0 * believed), judged(case.before.rgb, believed)

    assert good["success"] is True
    assert good["gain_db"] > 20  # type: ignore[operator]
    assert bad["success"] is False
    assert bad["gain_db"] < -3  # type: ignore[operator]
    assert unclaimed["success"] is False
    assert unclaimed["outside_db"] < -3  # type: ignore[operator]
    assert (silent["success"], silent["claimed_share"]) == (False, 0.0)


def test_a_refusal_is_a_row_that_fails(pairs: list[Case]) -> None:
    case = replace(pairs[0], settings={"point": (30.0, 80.0)})

    row = judge_case(case, case.true_map)

    assert (row["success"], row["claimed_share"]) == (False, 0.0)
    assert "in focus already" in row["refused"]


def test_refocusing_with_a_true_map_succeeds_on_a_drawn_pair(data: Path) -> None:
    """In the part that judges, where there is no sweep."""
    told: list[tuple[int, int, int]] = []

    rows = judge_refocus(data, Part.JUDGING, lambda *each: told.append(each))

    true = [row for row in rows if row["map"] == "truth"]
    assert [each[0] for each in told] == [1, 2]
    assert [(row["source"], row["case"]) for row in true] == [
        ("pairs", "mffw_03 A to B"),
        ("pairs", "mffw_03 B to A"),
    ]
    assert len(rows) == 4
    assert all(row["held_out"] for row in rows)
    assert all(row["success"] for row in true), true


def test_a_drawn_sweep_is_magnified_with_success(sweeps: list[Case]) -> None:
    for case in sweeps:
        if case.operation == "magnify":
            assert judge_case(case, case.true_map)["success"], case.name


def test_a_folder_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multifocus or focal-sweeps"):
        judge_refocus(tmp_path, Part.JUDGING)


def test_light_is_linear() -> None:
    assert as_light(np.full((1, 1, 3), 188, np.uint8))[0, 0, 0] == pytest.approx(0.5, abs=0.01)
