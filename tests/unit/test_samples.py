"""The sample photos are what samples/index.toml says: the other tests rely on it."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tomllib
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import rawpy
import tifffile
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
INDEX = tomllib.loads((SAMPLES / "index.toml").read_text(encoding="utf-8"))
PHOTOS: list[dict[str, Any]] = INDEX["photo"]
SETS = sorted({photo["set"] for photo in PHOTOS} - {""})
FREE = {"CC0-1.0", "CC-BY-2.0", "public domain"}

pillow_heif.register_heif_opener()


def _of_set(name: str) -> list[dict[str, Any]]:
    return [photo for photo in PHOTOS if photo["set"] == name]


def _path(file: str) -> Path:
    return SAMPLES / file


def _exif(file: str) -> dict[int, Any]:
    with Image.open(_path(file)) as picture:
        exif = picture.getexif()
        return {**exif, **exif.get_ifd(0x8769)}


def _taken_at(tags: dict[int, Any]) -> datetime:
    text = f"{tags[0x9003]}.{tags[0x9291]}{tags[0x9011]}"
    return datetime.strptime(text, "%Y:%m:%d %H:%M:%S.%f%z")


def _upright(file: str) -> np.ndarray:
    with Image.open(_path(file)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"), np.float32)


def _detail(file: str) -> float:
    """How strongly neighbouring pixels differ: falls with blur in frames of one scene."""
    gray = _upright(file).mean(axis=2)
    return float(np.abs(np.diff(gray, axis=1)).mean() + np.abs(np.diff(gray, axis=0)).mean())


def test_index_and_folder_list_the_same_photos() -> None:
    found = sorted(path.name for path in SAMPLES.iterdir() if path.name != "index.toml")
    assert found == sorted(photo["file"] for photo in PHOTOS)


def test_library_is_large_enough_and_small_enough() -> None:
    assert len(PHOTOS) >= 14
    assert sum(_path(photo["file"]).stat().st_size for photo in PHOTOS) < 12_000_000


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo["file"])
def test_photo_is_the_indexed_one(photo: dict[str, Any]) -> None:
    content = _path(photo["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == photo["sha256"]


def test_check_passes_and_names_what_is_wrong(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "scripts" / "make_samples.py"), "--check"]
    assert subprocess.run(script, check=False).returncode == 0
    (tmp_path / "index.toml").write_text('[[photo]]\nfile = "a.jpg"\nsha256 = ""\n')
    (tmp_path / "b.jpg").write_bytes(b"")
    wrong = subprocess.run([*script, str(tmp_path)], check=False, capture_output=True, text=True)
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines() == [
        "a.jpg is in the index, but not in the folder.",
        "b.jpg is in the folder, but not in the index.",
    ]


def test_every_source_is_free_and_credited() -> None:
    sources = {source["name"]: source for source in INDEX["source"]}
    assert {photo["source"] for photo in PHOTOS} == set(sources)
    for source in sources.values():
        assert source["licence"] in FREE
        assert all(source[key] for key in ("author", "terms", "origin", "title"))
    for photo in PHOTOS:
        source = sources[photo["source"]]
        assert all(photo[key] == source[key] for key in ("author", "licence", "origin"))


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo["file"])
def test_truth_follows_from_what_was_drawn(photo: dict[str, Any]) -> None:
    blurred = photo["coc_diameter_px"] > 0 or photo["motion_px"] > 0
    assert photo["truth"] in {"keeper", "reject", "cant-tell"}
    assert blurred == (photo["truth"] == "reject")
    assert (photo["motion_px"] > 0) == (photo["reason"] == "motion")
    assert (photo["coc_diameter_px"] > 0) == (photo["reason"] == "defocus")
    assert photo["reason"]


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo["file"])
def test_camera_data_are_complete(photo: dict[str, Any]) -> None:
    tags = _exif(photo["file"])
    assert _taken_at(tags) == datetime.fromisoformat(photo["taken_at"])
    assert tags[0x0112] == photo["orientation"]
    assert tags[0x010F] == "Example"
    assert tags[0x0110].startswith("Example ")
    assert all(tags[tag] > 0 for tag in (0x829A, 0x829D, 0x8827, 0x920A, 0xA405, 0xA20E))
    assert tags[0xA434]
    if photo["file"] != "IMG_7301.HEIC":
        assert tags[0xA431] == "EX100042"


@pytest.mark.parametrize("name", SETS)
def test_frames_of_a_set_follow_each_other_quickly(name: str) -> None:
    times = [_taken_at(_exif(photo["file"])) for photo in _of_set(name)]
    gaps = [(late - early).total_seconds() for early, late in pairwise(times)]
    assert all(0.15 <= gap <= 0.4 for gap in gaps)


def test_different_scenes_are_minutes_apart() -> None:
    shots: dict[str, list[datetime]] = {}
    for photo in PHOTOS:
        key = photo["set"] or Path(photo["file"]).stem
        shots.setdefault(key, []).append(datetime.fromisoformat(photo["taken_at"]))
    spans = sorted((min(times), max(times)) for times in shots.values())
    for (_, end), (start, _) in pairwise(spans):
        assert (start - end).total_seconds() >= 120


def test_there_are_two_bursts_and_a_bracket() -> None:
    assert SETS == ["bracket-1", "burst-1", "burst-2"]


@pytest.mark.parametrize("name", ["burst-1", "burst-2"])
def test_a_burst_holds_every_kind_of_frame(name: str) -> None:
    frames = _of_set(name)
    assert 4 <= len(frames) <= 5
    slight = [frame for frame in frames if 2.5 <= frame["coc_diameter_px"] <= 3]
    bad = [frame for frame in frames if 8 <= frame["coc_diameter_px"] <= 10]
    moved = [frame for frame in frames if 9 <= frame["motion_px"] <= 12]
    sharp = [frame for frame in frames if frame["truth"] == "keeper"]
    assert len(slight) == len(bad) == len(moved) == 1
    detail = {frame["file"]: _detail(frame["file"]) for frame in frames}
    worst_sharp = min(detail[frame["file"]] for frame in sharp)
    assert worst_sharp > 1.3 * detail[slight[0]["file"]]
    assert detail[slight[0]["file"]] > 1.2 * detail[moved[0]["file"]]
    assert detail[slight[0]["file"]] > 1.3 * detail[bad[0]["file"]]


def test_bracket_is_a_ladder_that_clips() -> None:
    frames = _of_set("bracket-1")
    tags = {frame["file"]: _exif(frame["file"]) for frame in frames}
    by_bias = {float(one[0x9204]): (file, one) for file, one in tags.items()}
    assert sorted(by_bias) == [-2, 0, 2]
    assert all(one[0xA402] == 2 for one in tags.values())
    times_s = [float(by_bias[bias][1][0x829A]) for bias in (-2, 0, 2)]
    assert times_s[1] / times_s[0] == pytest.approx(4, rel=0.1)
    assert times_s[2] / times_s[1] == pytest.approx(4, rel=0.1)
    clipped = [(_upright(by_bias[bias][0]) >= 254).all(axis=2).mean() for bias in (-2, 0, 2)]
    assert clipped[0] < clipped[1] < clipped[2]
    assert clipped[0] == pytest.approx(0, abs=1e-4)
    assert clipped[2] > 1e-3


def test_every_tricky_orientation_comes_out_upright() -> None:
    turned = {p["orientation"]: p["file"] for p in PHOTOS if p["orientation"] != 1}
    assert set(turned) == {2, 3, 4, 5, 6, 7, 8}
    reference = _upright(turned[6])
    assert reference.shape[0] > reference.shape[1]
    for file in turned.values():
        assert np.abs(_upright(file) - reference).mean() < 4


def test_tiff_holds_sixteen_bits_and_a_profile() -> None:
    (file,) = (photo["file"] for photo in PHOTOS if photo["file"].endswith(".tif"))
    assert not file.isascii()
    with tifffile.TiffFile(_path(file)) as tiff:
        pixels = tiff.pages[0].asarray()
        profile = tiff.pages[0].tags[34675].value
    assert pixels.dtype == np.uint16
    assert pixels.shape[2] == 3
    assert len(np.unique(pixels)) > 5_000
    assert profile[36:40] == b"acsp"


def test_dng_is_a_bayer_raw_with_a_preview_and_a_partner() -> None:
    with rawpy.imread(str(_path("IMG_0030.dng"))) as raw:
        assert raw.raw_type == rawpy.RawType.Flat
        assert raw.color_desc == b"RGBG"
        assert raw.raw_pattern.tolist() == [[0, 1], [3, 2]]
        assert raw.raw_image.dtype == np.uint16
        assert raw.raw_image.shape == (400, 600)
        assert raw.black_level_per_channel == [512] * 4
        assert raw.white_level == 16_383
        thumb = raw.extract_thumb()
        developed = raw.postprocess(use_camera_wb=True, no_auto_bright=True, gamma=(2.4, 12.92))
    assert thumb.format == rawpy.ThumbFormat.JPEG
    with Image.open(io.BytesIO(thumb.data)) as preview:
        assert preview.size == (600, 400)
    partner = _upright("IMG_0030.jpg")
    assert np.abs(developed.mean(axis=(0, 1)) - partner.mean(axis=(0, 1))).max() < 4
    assert _taken_at(_exif("IMG_0030.dng")) == _taken_at(_exif("IMG_0030.jpg"))


def test_noisy_frame_is_noisy_and_says_so() -> None:
    (file,) = (photo["file"] for photo in PHOTOS if "noisy" in photo["reason"])
    assert _exif(file)[0x8827] == 12_800
    blanket_out_of_focus = _upright(file)[20:80, 380:440, 1]
    assert np.abs(np.diff(blanket_out_of_focus, axis=1)).mean() > 4


def test_low_texture_frame_has_next_to_none() -> None:
    (file,) = (photo["file"] for photo in PHOTOS if photo["reason"] == "low-texture")
    assert _detail(file) < 2
