"""Rendered photos whose subject is sharp, or is not."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from focuskit.batch import judge
from focuskit.batch.judge import Judge, Judgement
from focuskit.batch.library import find_shots
from focuskit.batch.places import Box
from focuskit.color import encode_srgb
from focuskit.cull.decide import Decision, decide
from focuskit.detect import motion
from focuskit.errors import RangeError, WeightsError
from focuskit.io import read_photo
from focuskit.optics.psf import motion_psf
from tests.scenes import SAMPLES, blurred, make_scene

HEIGHT, WIDTH = 500, 700
PORTRAIT = np.s_[:, 150:550]


def _portrait(*, face_coc: float = 0, scene_coc: float = 0) -> NDArray[np.float32]:
    """Return a portrait of 400 × 500 before a scene, each with a blur of its own."""
    picture = blurred(make_scene(HEIGHT, WIDTH, 4), scene_coc)
    picture[PORTRAIT] = blurred(read_photo(SAMPLES / "IMG_0020.jpg").rgb, face_coc)
    return picture


def _judged(
    folder: Path, rgb: NDArray[np.float32], *, subject: str | None = None, exif: bytes = b""
) -> tuple[Judgement, Decision]:
    grain = np.random.default_rng(7).normal(0, 0.004, rgb.shape)
    shown = np.rint(np.clip(encode_srgb(np.clip(rgb, 0, 1)) + grain, 0, 1) * 255).astype(np.uint8)
    file = folder / "a.jpg"
    Image.fromarray(shown).save(file, quality=95, exif=exif)
    (shot,) = find_shots([file]).shots
    judgement = Judge(subject=None if subject is None else Box.parse(subject))(shot)
    return judgement, decide(judgement.measures, judgement.diagonal_px)


def test_a_sharp_face_before_a_blurred_scene_is_a_keeper(tmp_path: Path) -> None:
    judgement, decision = _judged(tmp_path, _portrait(scene_coc=14))

    assert judgement.measures.region.kind == "eyes"
    assert decision.verdict == "keeper"


def test_a_shaken_shot_is_told_from_a_misfocused_one(tmp_path: Path) -> None:
    scene = make_scene(HEIGHT, WIDTH, 4)
    moved = cv2.filter2D(scene, -1, motion_psf(12, 30), borderType=cv2.BORDER_REFLECT)

    shaken, soft = _judged(tmp_path, moved), _judged(tmp_path, blurred(scene, 10))

    assert [each.reasons[0].code for _, each in (shaken, soft)] == ["motion", "defocus"]
    probabilities = [each.measures["motion_probability"] for each, _ in (shaken, soft)]
    assert probabilities[0] > 0.9
    assert probabilities[1] < 0.1


def test_a_detector_without_weights_leaves_motion_to_widths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise WeightsError(f"no weights of {name}")

    for module in (judge, motion):
        monkeypatch.setattr(module, "open_network", missing)
    Image.fromarray(np.zeros((90, 120, 3), np.uint8)).save(tmp_path / "a.jpg")
    (shot,) = find_shots([tmp_path]).shots

    plain = Judge("lbp")
    plain.prepare()

    assert plain.moved is None
    assert plain(shot).measures["motion_probability"] < 0.5
    with pytest.raises(WeightsError, match="motion"):
        Judge().prepare()


def test_a_blurred_face_before_a_sharp_scene_is_back_focus(tmp_path: Path) -> None:
    judgement, decision = _judged(tmp_path, _portrait(face_coc=9))

    assert judgement.measures.region.kind in ("face", "eyes")
    assert decision.verdict == "reject"
    assert decision.reasons[0].code == "back-focus"
    assert "behind the subject" in decision.reasons[0].text


def _af(x: int, y: int) -> bytes:
    exif = Image.Exif()
    sub = exif.get_ifd(0x8769)
    sub[0x9214] = (x, y)
    sub[0xA002], sub[0xA003] = WIDTH, HEIGHT
    return exif.tobytes()


def _halves(left_coc: float, right_coc: float) -> NDArray[np.float32]:
    scene = make_scene(HEIGHT, WIDTH, 5)
    half = WIDTH // 2
    return np.hstack([blurred(scene, left_coc)[:, :half], blurred(scene, right_coc)[:, half:]])


@pytest.mark.parametrize(("x", "verdict"), [(160, "reject"), (540, "keeper")])
def test_the_af_point_says_which_half_matters(tmp_path: Path, x: int, verdict: str) -> None:
    judgement, decision = _judged(tmp_path, _halves(9, 0), exif=_af(x, 250))

    assert judgement.measures.region.kind == "AF point"
    assert abs(judgement.measures.region.x + judgement.measures.region.width / 2 - x) <= 2
    assert decision.verdict == verdict
    if verdict == "reject":
        assert "beside the subject" in decision.reasons[0].text


def test_a_central_af_point_does_not_condemn_a_recomposed_photo(tmp_path: Path) -> None:
    scene = _halves(9, 0)
    scene = np.roll(scene, 100, axis=1)  # the middle lies in the blurred half

    judgement, decision = _judged(tmp_path, scene, exif=_af(WIDTH // 2, HEIGHT // 2))

    assert judgement.measures.region.kind == "in-focus area"
    assert decision.verdict == "keeper"


def test_an_af_point_on_a_plain_wall_is_passed_over(tmp_path: Path) -> None:
    scene = make_scene(HEIGHT, WIDTH, 5)
    scene[80:400, 20:330] = 0.3

    judgement, decision = _judged(tmp_path, scene, exif=_af(175, 240))

    assert judgement.measures.region.kind == "in-focus area"
    assert decision.verdict == "keeper"


def test_the_given_box_is_judged_and_nothing_else(tmp_path: Path) -> None:
    scene = _halves(9, 0)
    widths = []
    for box, verdict in (("5%,20%,40%,80%", "reject"), ("60%,20%,95%,80%", "keeper")):
        judgement, decision = _judged(tmp_path, scene, subject=box)
        assert judgement.measures.region.kind == "given"
        assert decision.verdict == verdict
        widths.append(judgement.measures["edge_width"])

    assert widths[0] > 2 * widths[1]


def test_a_given_plain_box_is_not_replaced_by_something_else(tmp_path: Path) -> None:
    scene = make_scene(HEIGHT, WIDTH, 5)
    scene[80:400, 20:330] = 0.3

    judgement, decision = _judged(tmp_path, scene, subject="80,140,280,340")

    assert judgement.measures.region.kind == "given"
    assert decision.verdict == "cant-tell"
    assert math.isnan(judgement.measures["edge_width"]) or judgement.measures["edge_count"] < 40


def test_a_box_beyond_the_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RangeError, match=f"{WIDTH}×{HEIGHT}"):
        _judged(tmp_path, make_scene(HEIGHT, WIDTH, 5), subject="0,0,5000,10")


def test_a_face_is_found_at_any_size_of_the_file(tmp_path: Path) -> None:
    large = cv2.resize(_portrait(scene_coc=14), None, fx=1.5, fy=1.5)

    assert _judged(tmp_path, large)[0].measures.region.kind in ("face", "eyes")
