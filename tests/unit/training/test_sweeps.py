from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.errors import InputError
from focuskit.training.sweeps import MAX_FRAMES_PER_SWEEP, read_sweeps
from tests.scenes import ROOT, blurred, make_scene

REAL = ROOT.parent / "shared" / "data" / "focal-sweeps"
HEIGHT, WIDTH, MIDDLE = 320, 400, 200
NEAR, FAR = 3, 15
NUMBERS = tuple(range(1, 18, 2))


def _encoded(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (encode_srgb(rgb) * 255).round().astype(np.uint8)


def _write(folder: Path, flat: int = 0) -> None:
    """A sweep whose left half is sharpest in frame 3, its right half in frame 15.

    The first `flat` rows hold nothing to see.
    """
    folder.mkdir(parents=True)
    scene = make_scene(HEIGHT, WIDTH, 5)
    scene[:flat] = 0.3
    left = np.arange(WIDTH)[None, :, None] < MIDDLE
    for number in NUMBERS:
        near, far = (blurred(scene, 1.2 * abs(number - best)) for best in (NEAR, FAR))
        cv2.imwrite(str(folder / f"frame{number}.jpg"), _encoded(np.where(left, near, far)))
    depth = np.full((HEIGHT, WIDTH), NEAR, np.uint8)
    depth[:, MIDDLE:] = FAR
    cv2.imwrite(str(folder / "depth_index.png"), depth)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweeps")
    _write(path / "shelf")
    return path


def test_frames_are_in_focus_near_their_depth_and_blurred_far_from_it(sweep: Path) -> None:
    examples = read_sweeps(sweep)

    chosen = np.linspace(0, len(NUMBERS) - 1, MAX_FRAMES_PER_SWEEP).round().astype(int)
    numbers = [NUMBERS[index] for index in chosen]
    middle = MIDDLE // 2
    for number, example in zip(numbers, examples, strict=True):
        for half, best in ((np.s_[:, :middle], NEAR), (np.s_[:, middle:], FAR)):
            decided = example.weight[half] > 0
            in_focus = example.in_focus[half][decided]
            if abs(number - best) <= 1:
                assert in_focus.mean() > 0.98
                assert decided.mean() > 0.6
            elif abs(number - best) >= 8:
                assert in_focus.mean() < 0.02
                assert decided.mean() > 0.6


def test_examples_say_what_they_are(sweep: Path) -> None:
    examples = read_sweeps(sweep)

    assert len(examples) == MAX_FRAMES_PER_SWEEP
    for example in examples:
        assert (example.source, example.scene) == ("sweep", "shelf")
        assert example.rgb.shape == (HEIGHT // 2, WIDTH // 2, 3)
        assert example.rgb.dtype == np.uint8
        assert example.in_focus.dtype == example.weight.dtype == np.float32
        assert np.isnan(example.coc_diameter_px).all()


def test_flat_areas_and_steps_of_depth_stay_undecided(tmp_path: Path) -> None:
    _write(tmp_path / "shelf", flat=120)

    for example in read_sweeps(tmp_path):
        assert not example.weight[:45].any()
        assert not example.weight[:, MIDDLE // 2 - 3 : MIDDLE // 2 + 3].any()


def test_a_wrong_depth_decides_nothing(tmp_path: Path) -> None:
    _write(tmp_path / "shelf")
    depth = np.full((HEIGHT, WIDTH), NEAR, np.uint8)
    depth[: HEIGHT // 2, MIDDLE:] = FAR
    cv2.imwrite(str(tmp_path / "shelf" / "depth_index.png"), depth)

    for example in read_sweeps(tmp_path):
        wrong = np.s_[HEIGHT // 4 :, MIDDLE // 2 :]
        assert (example.in_focus * example.weight)[wrong].mean() < 0.02


def test_scenes_that_belong_together_share_their_name(tmp_path: Path) -> None:
    for name in ("averyWatch7", "math", "joe2", "joeBar6", "avery3"):
        _write(tmp_path / name)

    scenes = [example.scene for example in read_sweeps(tmp_path)[::MAX_FRAMES_PER_SWEEP]]

    assert scenes == ["avery3", "avery", "mug", "mug", "avery"]


def test_unusable_sweeps_are_skipped_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("good", "cropped", "no-depth", "damaged"):
        _write(tmp_path / name)
    cv2.imwrite(str(tmp_path / "cropped" / "frame3.jpg"), np.zeros((40, 60, 3), np.uint8))
    (tmp_path / "no-depth" / "depth_index.png").unlink()
    (tmp_path / "damaged" / "frame5.jpg").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()

    with caplog.at_level(logging.WARNING, logger="focuskit.training.sweeps"):
        examples = read_sweeps(tmp_path)

    assert {example.scene for example in examples} == {"good"}
    assert "cropped is left out: frame3.jpg is 60×40 pixels, depth_index.png 400×320" in caplog.text
    assert "no-depth is left out" in caplog.text
    assert "damaged is left out" in caplog.text
    assert "empty is left out: 0 frames found" in caplog.text


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder: expected SCENE/frameN"):
        read_sweeps(tmp_path / "absent")
    with pytest.raises(InputError, match="no usable sweep"):
        read_sweeps(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the data beside the project is absent")
def test_the_real_sweeps_read() -> None:
    examples = read_sweeps(REAL)

    assert len(examples) == 8 * MAX_FRAMES_PER_SWEEP
    assert {each.scene for each in examples} == {"avery", "avery3", "exp10", "flowerLady", "mug"}
    decided = [(example.weight > 0).mean() for example in examples]
    assert np.mean(decided) > 0.4
