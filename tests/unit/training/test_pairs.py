from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.errors import InputError
from focuskit.training.example import Example
from focuskit.training.pairs import EXCLUDED_PAIRS, compare, read_pairs
from tests.scenes import ROOT, blurred, make_scene

REAL = ROOT.parent / "shared" / "data" / "multifocus"
HEIGHT, WIDTH, MIDDLE = 200, 280, 140


def _encoded(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (encode_srgb(rgb) * 255).round().astype(np.uint8)


def _pair(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A is sharp left of the middle, B right of it."""
    sharp = make_scene(HEIGHT, WIDTH, seed)
    soft = blurred(sharp, 8.0)
    left = np.arange(WIDTH)[None, :, None] < MIDDLE
    return _encoded(np.where(left, sharp, soft)), _encoded(np.where(left, soft, sharp))


def _write(folder: Path, name: str, a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / name / f"{name}_A.png"), a)
    cv2.imwrite(str(folder / name / f"{name}_B.png"), b)


def _gray(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.cvtColor(rgb, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255


def _textured(gray: NDArray[np.float32]) -> NDArray[np.bool_]:
    span = cv2.dilate(gray, np.ones((5, 5))) - cv2.erode(gray, np.ones((5, 5)))
    return np.asarray(span > 0.1)


def _right(example: Example, truth: NDArray[np.bool_]) -> float:
    decided = example.weight > 0
    return float((example.in_focus[decided] == truth[decided]).mean())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_pictures_are_labelled_where_they_are_sharp(tmp_path: Path, seed: int) -> None:
    _write(tmp_path, "toys", *_pair(seed))

    first, second = read_pairs(tmp_path)

    left = np.broadcast_to(np.arange(WIDTH) < MIDDLE, (HEIGHT, WIDTH))
    assert _right(first, left) > 0.98
    assert _right(second, ~left) > 0.98
    decided = first.weight > 0
    assert decided[_textured(_gray(_encoded(make_scene(HEIGHT, WIDTH, seed))))].mean() > 0.6
    assert (first.in_focus + second.in_focus == decided).all()


def test_examples_say_what_they_are(tmp_path: Path) -> None:
    a, b = _pair(1)
    _write(tmp_path, "toys", a, b)

    first, second = read_pairs(tmp_path)

    assert (first.source, first.scene) == (second.source, second.scene) == ("multifocus", "toys")
    assert np.array_equal(first.rgb, a[:, :, ::-1])
    assert np.array_equal(second.rgb, b[:, :, ::-1])
    for example in (first, second):
        assert example.rgb.dtype == np.uint8
        assert example.in_focus.dtype == example.weight.dtype == np.float32
        assert example.coc_diameter_px.dtype == np.float32
        assert np.isnan(example.coc_diameter_px).all()


def test_grey_pictures_get_three_channels(tmp_path: Path) -> None:
    a, b = (cv2.cvtColor(each, cv2.COLOR_BGR2GRAY) for each in _pair(1))
    _write(tmp_path, "toys", a, b)

    first, _ = read_pairs(tmp_path)

    assert first.rgb.shape == (HEIGHT, WIDTH, 3)
    assert (first.rgb == a[:, :, None]).all()


def test_nothing_is_decided_between_equals() -> None:
    scene = _gray(_pair(1)[0])

    for in_focus, weight in (compare(scene, scene), compare(scene * 0.8, scene)):
        assert not weight.any()
        assert not in_focus.any()


def test_what_is_blurred_in_both_is_not_in_focus_in_either() -> None:
    scene = make_scene(HEIGHT, WIDTH, 1)
    soft, softer = (_gray(_encoded(blurred(scene, coc))) for coc in (8.0, 20.0))

    in_focus, weight = compare(soft, softer)

    assert (weight * in_focus).mean() < 0.005


def test_flat_areas_stay_undecided() -> None:
    a, b = _pair(2)
    for picture in (a, b):
        picture[:80] = 120

    weight = compare(_gray(a), _gray(b))[1]

    assert weight[:70].mean() < 0.01
    assert (weight[90:] > 0).mean() > 0.5


def test_noise_is_not_taken_for_detail() -> None:
    rng = np.random.default_rng(0)
    flat = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    noisy = [flat + rng.normal(0, s, flat.shape).astype(np.float32) for s in (0.02, 0.02)]

    assert not compare(*noisy)[1].any()


def test_unusable_pairs_are_skipped_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = _pair(1)
    _write(tmp_path, "good", a, b)
    _write(tmp_path, "cropped", a, b[:-8])
    _write(tmp_path, "damaged", a, b)
    (tmp_path / "damaged" / "damaged_B.png").write_bytes(b"no picture")
    _write(tmp_path, "half", a, b)
    (tmp_path / "half" / "half_B.png").unlink()
    _write(tmp_path, "same", a, a)
    excluded = next(iter(EXCLUDED_PAIRS))
    _write(tmp_path, excluded, a, b)

    with caplog.at_level(logging.WARNING, logger="focuskit.training.pairs"):
        examples = read_pairs(tmp_path)

    assert [example.scene for example in examples] == ["good", "good"]
    assert "cropped is left out: A is 280×200 pixels, B 280×192" in caplog.text
    assert "damaged is left out" in caplog.text
    assert "half is left out: there is no picture half_B.*" in caplog.text
    assert "same is left out: A and B hardly differ" in caplog.text
    assert EXCLUDED_PAIRS[excluded] in caplog.text


def test_small_pictures_are_kept_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = (each[:100, 80:200] for each in _pair(1))
    _write(tmp_path, "small", a, b)

    with caplog.at_level(logging.INFO, logger="focuskit.training.pairs"):
        assert len(read_pairs(tmp_path)) == 2

    assert "small is only 120×100" in caplog.text


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder: expected NAME/NAME_A"):
        read_pairs(tmp_path / "absent")
    with pytest.raises(InputError, match="no usable pair"):
        read_pairs(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the data beside the project is absent")
def test_the_real_pairs_read() -> None:
    examples = read_pairs(REAL)

    assert len(examples) == 98
    scenes = {example.scene for example in examples}
    assert "aymaz_20" not in scenes  # the boats of aymaz_07 once more
    assert not scenes & set(EXCLUDED_PAIRS)
    decided = [(example.weight > 0).mean() for example in examples]
    assert np.mean(decided) > 0.2
    assert min(decided) > 0.01
