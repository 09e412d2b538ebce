"""Whether a box moved: laws that the shipped network keeps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.color import encode_srgb
from focuskit.detect import runtime
from focuskit.detect.motion import SPECTRUM_SHAPE, log_spectrum, motion_logit
from focuskit.detect.motion_network import MotionNet
from focuskit.errors import RangeError, ShapeError, WeightsError
from focuskit.optics.psf import motion_psf
from tests.scenes import blurred, make_scene

Map = NDArray[np.float32]


def _gray(light: Map, noise: float = 0.004) -> Map:
    encoded = encode_srgb(np.clip(light, 0, 1))
    gray = np.asarray(cv2.cvtColor(encoded, cv2.COLOR_RGB2GRAY), np.float32)
    grain = np.random.default_rng(1).normal(0, noise, gray.shape).astype(np.float32)
    return np.rint(np.clip(gray + grain, 0, 1) * 255).astype(np.float32) / np.float32(255)


def _moved(light: Map, length_px: float, angle_deg: float) -> Map:
    psf = motion_psf(length_px, angle_deg)
    return cv2.filter2D(light, -1, psf, borderType=cv2.BORDER_REFLECT)


@pytest.fixture(scope="module", params=[1, 2, 3])
def scene(request: pytest.FixtureRequest) -> Map:
    return make_scene(224, 224, seed=request.param)


@pytest.mark.parametrize("angle", [0, 30, 90, 140])
@pytest.mark.parametrize("length", [7, 12])
def test_straight_motion_is_called_however_the_box_is_turned(
    scene: Map, length: float, angle: float
) -> None:
    gray = _gray(_moved(scene, length, angle))

    assert motion_logit(gray) > 0
    assert motion_logit(np.ascontiguousarray(np.rot90(gray))) > 0
    assert motion_logit(np.ascontiguousarray(gray[:, ::-1])) > 0


@pytest.mark.parametrize("coc_px", [5, 8, 12])
def test_misfocus_is_not_called_however_the_box_is_turned(scene: Map, coc_px: float) -> None:
    gray = _gray(blurred(scene, coc_px))

    assert motion_logit(gray) < 0
    assert motion_logit(np.ascontiguousarray(np.rot90(gray))) < 0


def test_what_is_sharp_did_not_move(scene: Map) -> None:
    assert motion_logit(_gray(scene)) < 0


@pytest.mark.parametrize("angle", [0, 25, 90])
@pytest.mark.parametrize("coc_px", [0, 6])
@pytest.mark.parametrize("pitch_px", [6, 14])
def test_stripes_did_not_move(pitch_px: float, coc_px: float, angle: float) -> None:
    fine = np.arange(3 * 224, dtype=np.float32) / 3
    turn = np.deg2rad(angle)
    across = fine[None, :] * np.cos(turn) + fine[:, None] * np.sin(turn)
    bars = np.where(across % pitch_px < 0.4 * pitch_px, 0.5, 0.12).astype(np.float32)
    small = cv2.resize(bars, (224, 224), interpolation=cv2.INTER_AREA)
    light = np.repeat(np.asarray(small, np.float32)[..., None], 3, axis=2)

    assert motion_logit(_gray(blurred(light, coc_px) if coc_px else light)) < 0


@pytest.mark.parametrize("tone", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_flat_boxes_did_not_move(tone: float, noise: float) -> None:
    assert motion_logit(_gray(np.full((200, 160, 3), tone, np.float32), noise)) < 0


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 130), width=st.integers(1, 130))
def test_boxes_of_any_size_have_an_answer(height: int, width: int) -> None:
    gray = np.random.default_rng(height).random((height, width), np.float32)

    assert np.isfinite(motion_logit(gray))


@pytest.mark.parametrize("side", [64, 100, 224])
@pytest.mark.parametrize(("rows", "columns"), [(0, 9), (7, 0), (5, 12), (-6, 11)])
def test_a_wave_stands_at_its_frequency(side: int, rows: int, columns: int) -> None:
    at = np.arange(side, dtype=np.float32) * np.float32(2 * np.pi / 64)
    wave = 0.5 + 0.3 * np.cos(rows * at[:, None] + columns * at[None, :])

    found = log_spectrum(np.asarray(wave, np.float32))

    assert found.shape == SPECTRUM_SHAPE
    place = np.unravel_index(int(found.argmax()), found.shape)
    assert place in {(32 + rows, columns), (32 - rows, 0)}


def test_brightness_alone_has_no_power(scene: Map) -> None:
    gray = _gray(scene) / 2

    assert log_spectrum(gray + np.float32(0.25)) == pytest.approx(log_spectrum(gray), abs=1e-2)


@pytest.mark.parametrize(
    ("gray", "error"),
    [
        (np.zeros((70, 70, 3), np.float32), ShapeError),
        (np.zeros((70, 70)), ShapeError),
        (np.zeros((0, 70), np.float32), ShapeError),
        (np.full((70, 70), np.nan, np.float32), RangeError),
    ],
)
def test_what_is_no_picture_is_refused(gray: Map, error: type[Exception]) -> None:
    with pytest.raises(error, match="gray"):
        motion_logit(gray)


def test_without_its_weights_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise WeightsError(f"There are no weights called {name!r}.")

    monkeypatch.setattr(runtime, "find_weights", missing)
    runtime._opened.cache_clear()
    try:
        with pytest.raises(WeightsError, match="'motion'"):
            motion_logit(np.zeros((70, 70), np.float32))
    finally:
        runtime._opened.cache_clear()


def test_torch_and_onnxruntime_agree(scene: Map, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = _gray(_moved(scene, 9, 20))
    usual = motion_logit(gray)
    monkeypatch.setenv(runtime.RUNTIME_VARIABLE, "torch")

    assert motion_logit(gray) == pytest.approx(usual, abs=1e-3)


def test_spectra_of_a_batch_do_not_know_each_other() -> None:
    torch.manual_seed(0)
    network = MotionNet(4).eval()
    spectra = torch.randn(3, 1, *SPECTRUM_SHAPE)
    with torch.inference_mode():
        together = network(spectra)
        alone = torch.cat([network(each[None]) for each in spectra])

    assert together.shape == (3, 1, 1, 1)
    assert torch.allclose(together, alone, atol=1e-5)
