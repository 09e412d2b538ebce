from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from focuskit.color import (
    BT2020_CURVE,
    HLG_CURVE,
    LINEAR_CURVE,
    PQ_CURVE,
    SRGB_CURVE,
    Curve,
    Encoding,
    encode_srgb,
    encoded_gray,
    encoding_of,
    encoding_of_xyz,
    gamma_curve,
    linearise,
    linearise_srgb,
    luminance,
    rgb_to_xyz_d50,
)
from focuskit.errors import RangeError
from focuskit.photo import Photo, Primaries

STEPS = np.linspace(0, 1, 1001, dtype=np.float32)


def test_srgb_is_its_own_inverse() -> None:
    assert np.abs(encode_srgb(linearise_srgb(STEPS)) - STEPS).max() < 1e-6
    assert linearise_srgb(np.array([0.5], np.float32))[0] == pytest.approx(0.21404114)


def test_the_curve_is_the_function() -> None:
    assert np.abs(SRGB_CURVE.linearise(STEPS) - linearise_srgb(STEPS)).max() < 1e-6
    assert np.abs(SRGB_CURVE.encode(STEPS) - encode_srgb(STEPS)).max() < 1e-6


@pytest.mark.parametrize("primaries", get_args(Primaries))
def test_every_curve_rises_from_0_to_1_and_back(primaries: Primaries) -> None:
    curve = encoding_of(primaries).curves[0]
    linear = curve.linearise(STEPS)
    assert (linear[0], linear[-1]) == pytest.approx((0, 1), abs=1e-6)
    assert (np.diff(linear) > 0).all()
    assert np.abs(curve.encode(linear) - STEPS).max() < 2e-6


def test_curves_go_on_above_white_and_stop_at_black() -> None:
    values = np.array([-0.5, 1.5], np.float32)
    assert gamma_curve(2).linearise(values).tolist() == [0, 2.25]
    assert Curve("sampled", (0.0, 0.5, 1.0)).linearise(values).tolist() == [0, 1]


def test_hdr_curves_put_diffuse_white_at_1() -> None:
    # ITU-R BT.2408, table 1: 203 cd/m² is 58 % PQ and 75 % HLG.
    assert PQ_CURVE.linearise(np.array([0.5806], np.float32))[0] == pytest.approx(1, rel=0.01)
    assert PQ_CURVE.linearise(np.array([1], np.float32))[0] == pytest.approx(10000 / 203, rel=1e-4)
    assert HLG_CURVE.linearise(np.array([0.75], np.float32))[0] == pytest.approx(1, rel=1e-4)


def test_only_parametric_curves_are_written() -> None:
    with pytest.raises(RangeError, match="pq"):
        PQ_CURVE.encode(STEPS)


@pytest.mark.parametrize("curve", [SRGB_CURVE, BT2020_CURVE, LINEAR_CURVE, PQ_CURVE])
def test_integers_and_floats_linearise_alike(curve: Curve) -> None:
    encoding = Encoding(curves=(curve, curve, curve))
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    wanted = linearise((codes / 255).astype(np.float32), encoding)
    assert np.allclose(linearise(codes, encoding), wanted, rtol=1e-4, atol=1e-6)
    assert np.allclose(linearise(codes * np.uint16(257), encoding), wanted, rtol=1e-4, atol=1e-6)


def test_channels_may_have_curves_of_their_own() -> None:
    encoding = Encoding(curves=(LINEAR_CURVE, gamma_curve(2), gamma_curve(3)))
    for samples in (np.full((2, 3, 3), 51, np.uint8), np.full((2, 3, 3), 0.2, np.float32)):
        assert linearise(samples, encoding)[1, 2] == pytest.approx([0.2, 0.04, 0.008], rel=1e-3)


def test_a_matrix_keeps_neutrals_and_clips_what_lies_outside() -> None:
    generic = rgb_to_xyz_d50("srgb").copy()
    generic[:, 0] += (0.02, 0.02, 0.0)
    generic[:, 1] -= (0.02, 0.02, 0.0)
    encoding = encoding_of_xyz(generic, (LINEAR_CURVE,) * 3)
    assert encoding is not None
    assert encoding.primaries == "rec2020"
    gray = linearise(np.full((1, 1, 3), 0.5, np.float32), encoding)
    assert gray[0, 0] == pytest.approx([0.5] * 3, abs=1e-3)
    assert linearise(np.eye(3, dtype=np.float32)[None], encoding).min() >= 0


@pytest.mark.parametrize("primaries", get_args(Primaries))
def test_named_colorants_are_recognised_when_rounded(primaries: Primaries) -> None:
    rounded = np.round(rgb_to_xyz_d50(primaries), 3)
    found = encoding_of_xyz(rounded, (SRGB_CURVE,) * 3)
    assert found == Encoding(primaries)


def test_colorants_that_span_nothing() -> None:
    assert encoding_of_xyz(np.ones((3, 3)), (SRGB_CURVE,) * 3) is None
    assert encoding_of_xyz(np.full((3, 3), np.nan), (SRGB_CURVE,) * 3) is None


@pytest.mark.parametrize("primaries", get_args(Primaries))
def test_luminance_of_white_is_1(primaries: Primaries) -> None:
    white = np.ones((2, 3, 3), np.float32)
    assert luminance(white, primaries) == pytest.approx(np.ones((2, 3)), abs=2e-4)


def test_encoded_gray_is_clipped() -> None:
    gray = encoded_gray(Photo(np.full((2, 2, 3), 3, np.float32)))
    assert gray.dtype == np.float32
    assert gray == pytest.approx(np.ones((2, 2)))
