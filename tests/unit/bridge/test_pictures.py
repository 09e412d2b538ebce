"""Samples in files: what comes in as light goes out as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.bridge.calls import Picture
from focuskit.bridge.folders import empty_call_folder
from focuskit.bridge.memory import MapMemory, picture_key
from focuskit.bridge.pictures import Samples, read_grey, read_samples, write_picture
from focuskit.color import (
    HLG_CURVE,
    LINEAR_CURVE,
    PQ_CURVE,
    SRGB_CURVE,
    Curve,
    Encoding,
    encoding_of,
    linearise,
)
from focuskit.io.samples import encode_samples

SAMPLED = Curve("sampled", tuple(float(x) ** 2.4 for x in np.linspace(0, 1, 1024)))
# Constant up to a tenth, as kind 2 of ICC's parametric curves may be.
FLAT = Curve("parametric", (2.0, 1.1, -0.1, 0.0, 0.1 / 1.1, 0.0, 0.0))
MATRIX = (0.9, 0.08, 0.02, 0.05, 0.9, 0.05, 0.01, 0.04, 0.95)
ENCODINGS = {
    "srgb": Encoding(),
    "rec2020": encoding_of("rec2020"),
    "linear": encoding_of("srgb", LINEAR_CURVE),
    "sampled": Encoding(curves=(SAMPLED,) * 3),
    "three curves": Encoding(curves=(SRGB_CURVE, SAMPLED, LINEAR_CURVE)),
    "matrix": Encoding("rec2020", (SRGB_CURVE,) * 3, MATRIX),
    "pq": Encoding(curves=(PQ_CURVE,) * 3),
    "hlg": Encoding(curves=(HLG_CURVE,) * 3),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_encoding_undoes_linearising(name: str) -> None:
    encoding = ENCODINGS[name]
    values = np.random.default_rng(0).integers(0, 256, (300, 40, 3), np.uint8)
    fine = np.random.default_rng(1).integers(0, 65536, (300, 40, 3), np.uint16)

    for given_, kind, most in ((values, "u8", 0), (fine, "u16", 12)):
        back = encode_samples(linearise(given_, encoding), encoding, kind)  # type: ignore[arg-type]
        assert back.dtype == given_.dtype
        assert np.abs(back.astype(int) - given_).max() <= most


def test_a_curve_that_begins_flat_gives_the_same_light_back() -> None:
    encoding = Encoding(curves=(FLAT,) * 3)
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    light = linearise(values, encoding)

    back = linearise(encode_samples(light, encoding, "u8"), encoding)

    assert np.abs(back - light).max() < 1e-6


def test_floating_point_goes_on_above_white() -> None:
    light = np.array([[[0.0, 1.0, 4.0]]], np.float32)
    encoded = encode_samples(light, Encoding(), "f32")

    assert encoded[0, 0, 2] > 1.5
    assert np.allclose(linearise(encoded, Encoding()), light, rtol=1e-5)
    assert encode_samples(light, Encoding(), "u8")[0, 0, 2] == 255


@settings(max_examples=40)
@given(
    arrays(np.uint8, (4, 5, 3)),
    arrays(np.bool_, (4, 5)),
    st.sampled_from(sorted(ENCODINGS)),
)
def test_pixels_that_did_not_change_come_back_to_the_bit(
    values: NDArray[np.uint8], moved: NDArray[np.bool_], name: str
) -> None:
    samples = Samples(values, ENCODINGS[name], Picture("x", 5, 4, 3, "u8"))
    before = samples.light()
    after = np.where(moved[..., None], before * np.float32(0.5), before)

    made = samples.of(after, before)

    assert np.array_equal(made[~moved], values[~moved])


def test_grey_and_floating_point_keep_what_light_does_not_hold(tmp_path: Path) -> None:
    values = np.array([[-0.25, 0.5, 3.0]], np.float32)
    (tmp_path / "x").write_bytes(values.tobytes())
    samples = read_samples(tmp_path, Picture("x", 3, 1, 1, "f32", linear=True))
    before = samples.light()
    after = before.copy()
    after[0, 1] = 0.25

    made = samples.of(after, before)

    assert before.shape == (1, 3, 3)
    assert before.min() == 0
    assert made[..., 0].tolist() == [[-0.25, 0.25, 3.0]]


def test_masks_pass_no_curve_and_stay_in_range(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(np.array([0, 128, 255], np.uint8).tobytes())
    (tmp_path / "b").write_bytes(np.array([-0.001, 0.5, 1.001], np.float32).tobytes())

    bytes_ = read_grey(tmp_path, Picture("a", 3, 1, 1, "u8"), "mask")
    floats = read_grey(tmp_path, Picture("b", 3, 1, 1, "f32"), "mask")

    assert bytes_[0].tolist() == pytest.approx([0, 128 / 255, 1])
    assert floats[0].tolist() == [0, 0.5, 1]


def test_results_never_replace_what_is_there(tmp_path: Path) -> None:
    values = np.zeros((2, 2, 1), np.uint8)
    told = write_picture(tmp_path, "map", values, Picture("", 2, 2, 1, "u8"))

    assert (tmp_path / told["file"]).read_bytes() == bytes(4)
    assert (tmp_path / told["file"]).stat().st_mode & 0o777 == 0o600
    empty_call_folder(tmp_path / "..", [told["file"]])
    assert (tmp_path / told["file"]).exists()


def test_the_memory_forgets_the_oldest_first_and_counts_shared_arrays_once() -> None:
    def of(number: int) -> BlurMap:
        one = np.full((100, 100), number / 10, np.float32)
        return BlurMap(one, one, one)

    asked: list[int] = []

    def find(number: int) -> BlurMap:
        def detect() -> BlurMap:
            asked.append(number)
            return of(number)

        return memory.find((str(number),), detect)

    memory = MapMemory(most_bytes=3 * 40_000)
    for number in (1, 2, 3, 1, 4, 1, 2):
        assert find(number).coc_diameter_px[0, 0] == np.float32(number / 10)

    assert asked == [1, 2, 3, 4, 2]


def test_a_picture_is_known_by_its_samples_and_what_they_mean() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    one = Samples(values, Encoding(), Picture("x", 2, 2, 3, "u8"))
    same = Samples(values.copy(), Encoding(), Picture("y", 2, 2, 3, "u8"))
    other = Samples(values + 1, Encoding(), Picture("x", 2, 2, 3, "u8"))
    meant = Samples(values, encoding_of("rec2020"), Picture("x", 2, 2, 3, "u8"))

    keys = {picture_key(each, 1.0) for each in (one, other, meant)} | {picture_key(one, 0.5)}

    assert len(keys) == 4
    assert picture_key(same, 1.0) == picture_key(one, 1.0)
