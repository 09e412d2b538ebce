"""magnify and bokeh on photos, on files given along, and on what is wrong with either."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from focuskit.io import read_exif, read_photo
from focuskit.io.icc import build_profile
from tests.scenes import blurred, make_scene
from tests.unit.cli.conftest import Run, results_in
from tests.unit.io._depth_heic import save_heic_with_depth

SaveJpeg = Callable[..., Path]
HEIGHT, WIDTH = 120, 160
STRENGTH = ("--strength", "5")


@pytest.fixture(scope="module")
def half() -> NDArray[np.float32]:
    """Sharp on the left, out of focus on the right."""
    scene = make_scene(HEIGHT, WIDTH, seed=3)
    scene[:, WIDTH // 2 :] = blurred(scene, 4.0)[:, WIDTH // 2 :]
    return scene


@pytest.fixture
def photo(tmp_path: Path, save_jpeg: SaveJpeg, half: NDArray[np.float32]) -> Path:
    return save_jpeg("in/IMG_1.jpg", half, folder=tmp_path)


@pytest.fixture
def coc(tmp_path: Path) -> Path:
    """What the detector would say: 4 px on the right."""
    values = np.zeros((HEIGHT, WIDTH), np.uint16)
    values[:, WIDTH // 2 :] = 4 * 64
    return _save(tmp_path / "x-coc.png", values)


def _save(path: Path, values: NDArray[np.generic]) -> Path:
    cv2.imwrite(str(path), values)
    return path


def _painted(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """White on the left."""
    values = np.zeros((height, width), np.uint8)
    values[:, : width // 2] = 255
    return _save(path, values)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _right(path: Path) -> NDArray[np.float32]:
    return read_photo(path).rgb[20:-20, WIDTH // 2 + 20 :]


def _detail(path: Path) -> float:
    return float(np.abs(np.diff(_right(path), axis=1)).mean())


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("magnify", {"factor": 3.0}),
        ("bokeh", {"f_number": 1.4}),
        ("bokeh", {"strength": 5.0, "blades": 6, "ring": 0.5, "grain": False}),
    ],
)
def test_the_background_is_blurred_and_the_rest_kept(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path, command: str, settings: dict[str, object]
) -> None:
    before, out = _digest(photo), tmp_path / "out"
    options: list[object] = []
    for name, value in settings.items():
        option = f"--{name.replace('_', '-')}"
        options += ["--no-grain"] if name == "grain" else [option, str(value)]

    answer = focuskit(command, photo, "-o", out, "--coc", coc, *options, "-f", "json")

    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    (record,) = json.loads(answer.stdout)
    made = out / f"IMG_1-{command}.jpg"
    assert results_in(out) == [made.name]
    assert record["file"] == str(made)
    assert record["operation"] == command
    assert settings.items() <= record["settings"].items()
    assert 0.3 < record["changed_share"] < 0.6
    assert record["notes"] == []
    assert 1 <= record["smallest_coc_px"] <= 4
    assert _digest(photo) == before
    assert read_exif(made).camera == read_exif(photo).camera == "Maker Model"
    assert read_exif(made).f_number == 4.0
    assert _detail(made) < 0.8 * _detail(photo)
    left = np.s_[:, : WIDTH // 2 - 12]
    assert np.abs(read_photo(made).rgb[left] - read_photo(photo).rgb[left]).mean() < 0.01


def test_deep_sources_give_deep_results_in_their_own_colours(
    focuskit: Run, tmp_path: Path, half: NDArray[np.float32], coc: Path
) -> None:
    path = tmp_path / "in" / "wide.png"
    path.parent.mkdir()
    exif = Image.Exif()
    exif[0x0110] = "Model"
    exif.get_ifd(0x8769)[0x829D] = 5.6
    pixels = np.rint(np.minimum(half, 1) ** 0.45 * 255).astype(np.uint8)
    profile = build_profile("display-p3", linear=False)
    Image.fromarray(pixels).save(path, exif=exif, icc_profile=profile)

    deep = focuskit("bokeh", path, "-o", tmp_path / "a", "--coc", coc, *STRENGTH)
    options = ("--as", "png", "--bits", "8", "--f-number", "2")
    asked = focuskit("bokeh", path, "-o", tmp_path / "b", "--coc", coc, *options)

    assert (deep.returncode, asked.returncode) == (0, 0), deep.stderr + asked.stderr
    found = read_photo(tmp_path / "a" / "wide-bokeh.tif")
    assert (found.bits, found.primaries, found.exif.f_number) == (16, "display-p3", 5.6)
    eight = tmp_path / "b" / "wide-bokeh.png"
    assert cv2.imread(str(eight), cv2.IMREAD_UNCHANGED).dtype == np.uint8
    assert read_photo(eight).primaries == "display-p3"


def test_bits_choose_the_format_where_none_is_given(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path
) -> None:
    arguments = ("magnify", photo, "-o", tmp_path / "out", "--coc", coc, "--bits")

    assert focuskit(*arguments, "16").returncode == 0
    refused = focuskit(*arguments, "16", "--as", "jpg")
    odd = focuskit(*arguments, "12")

    assert results_in(tmp_path / "out") == ["IMG_1-magnify.tif"]
    assert (refused.returncode, odd.returncode) == (1, 2)
    assert "jpg holds 8 bits per sample, got 16" in refused.stderr
    assert "--bits" in odd.stderr


def test_a_preview_is_small_and_has_a_name_of_its_own(
    focuskit: Run, tmp_path: Path, save_jpeg: SaveJpeg, coc: Path, half: NDArray[np.float32]
) -> None:
    large = cv2.resize(half, (3200, 2400))
    photo = save_jpeg("large.jpg", large)
    out = tmp_path / "out"

    answer = focuskit(
        *("bokeh", photo, "-o", out, "--coc", coc, *STRENGTH, "--preview", "--compare"),
        *("-f", "json"),
    )

    assert answer.returncode == 0, answer.stderr
    assert results_in(out) == ["large-bokeh-preview-compare.jpg", "large-bokeh-preview.jpg"]
    assert read_photo(out / "large-bokeh-preview.jpg").rgb.shape == (768, 1024, 3)
    (record,) = json.loads(answer.stdout)
    assert (record["width"], record["scale"]) == (1024, 0.32)
    sheet = cv2.imread(str(out / "large-bokeh-preview-compare.jpg"))
    assert sheet.shape[1] > 1200
    assert sheet.shape[0] > 600


def test_files_beside_each_other_do_not_collide(focuskit: Run, tmp_path: Path, photo: Path) -> None:
    sub = tmp_path / "in" / "sub"
    sub.mkdir()
    shutil.copy(photo, sub / "IMG_1.jpg")
    Image.open(photo).save(tmp_path / "in" / "IMG_1.png")
    out = tmp_path / "out"

    answer = focuskit("bokeh", tmp_path / "in", "-o", out, "-d", "reblur", *STRENGTH, "--preview")

    assert answer.returncode == 0, answer.stderr
    assert results_in(out) == [
        "IMG_1.jpg-bokeh-preview.jpg",
        "IMG_1.png-bokeh-preview.jpg",
        "sub/IMG_1-bokeh-preview.jpg",
    ]


def test_bad_photos_are_named_and_the_rest_is_done(
    focuskit: Run, tmp_path: Path, photo: Path
) -> None:
    folder = photo.parent
    (folder / "cut.jpg").write_bytes(photo.read_bytes()[:3000])
    (folder / "text.jpg").write_text("this is not a photo at all, whatever its name says")
    Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(folder / "flat.jpg")
    out = tmp_path / "out"

    answer = focuskit("bokeh", folder, "-o", out, "-d", "reblur", "--f-number", "2", "-f", "jsonl")

    assert answer.returncode == 3
    assert "Traceback" not in answer.stderr
    assert [json.loads(line)["shot"] for line in answer.stdout.splitlines()] == ["IMG_1.jpg"]
    lines = {line.partition(": ")[0]: line for line in answer.stderr.splitlines()}
    assert set(lines) == {"cut.jpg", "text.jpg", "flat.jpg"}
    assert all(line.endswith(".") for line in lines.values())
    assert "Nothing in this photo is in focus" in lines["flat.jpg"]
    assert results_in(out) == ["IMG_1-bokeh.jpg"]


def test_results_are_replaced_only_when_told_and_originals_never(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path
) -> None:
    arguments = ("bokeh", photo, "-o", photo.parent, "--coc", coc, "--strength")
    made = photo.parent / "IMG_1-bokeh.jpg"
    focuskit(*arguments, "5")
    first = _digest(made)

    again = focuskit(*arguments, "8")
    left = _digest(made)
    told = focuskit(*arguments, "8", "--overwrite")
    second = _digest(made)
    original = focuskit("bokeh", photo, made, *arguments[2:4], *STRENGTH, "--overwrite")

    assert again.returncode == 3
    assert "exists already; add --overwrite" in again.stderr
    assert left == first
    assert told.returncode == 0, told.stderr
    assert second != first
    assert original.returncode == 3
    assert "is one of the photos to edit, and originals are never replaced" in original.stderr
    assert _digest(made) == second
    assert not [name for name in results_in(photo.parent) if name.startswith(".")]


def test_a_painted_map_blurs_what_shows_no_blur_and_says_so(
    focuskit: Run, tmp_path: Path, save_jpeg: SaveJpeg
) -> None:
    sharp = save_jpeg("sharp.jpg", make_scene(HEIGHT, WIDTH, seed=3))
    painted = _painted(tmp_path / "painted.png", 2 * HEIGHT, 2 * WIDTH)
    out = tmp_path / "out"

    answer = focuskit("bokeh", sharp, "-o", out, "-d", "reblur", *STRENGTH, "--map", painted)

    assert answer.returncode == 0, answer.stderr
    assert "out of focus where no blur can be seen" in answer.stderr
    assert _detail(out / "sharp-bokeh.jpg") < 0.7 * _detail(sharp)
    left = np.s_[:, : WIDTH // 2 - 12]
    kept = read_photo(out / "sharp-bokeh.jpg").rgb[left] - read_photo(sharp).rgb[left]
    assert np.abs(kept).mean() < 0.01


def test_what_is_masked_stays_to_the_bit(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path
) -> None:
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[:60] = 255
    mask = _save(tmp_path / "mask.png", values)
    options = ("--coc", coc, "--mask", mask, *STRENGTH, "--as", "tif", "--bits", "32")

    answer = focuskit("bokeh", photo, "-o", tmp_path / "out", *options)

    assert answer.returncode == 0, answer.stderr
    made, source = read_photo(tmp_path / "out" / "IMG_1-bokeh.tif").rgb, read_photo(photo).rgb
    assert np.array_equal(made[:60], source[:60])
    assert not np.array_equal(made[60:], source[60:])


def test_depth_says_what_lies_before_the_plane(focuskit: Run, tmp_path: Path, photo: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    depth = _save(tmp_path / "depth.png", ramp)
    arguments = ("bokeh", photo, "-o", tmp_path / "out", *STRENGTH, "-d", "reblur")

    done = focuskit(*arguments, "--depth", depth, "--focus", "20%,50%", "-f", "json")
    outside = focuskit(*arguments, "--depth", depth, "--focus", f"{WIDTH},5", "--overwrite")
    alone = focuskit(*arguments, "--focus", "75%,50%", "--overwrite")
    odd = focuskit(*arguments, "--depth", depth, "--focus", "here")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["map"] == ["reblur", str(depth)]
    assert outside.returncode == 3
    assert "lies outside the photo, which is 160×120 pixels" in outside.stderr
    assert (alone.returncode, odd.returncode) == (3, 2)
    assert "use refocus to sharpen" in alone.stderr
    assert "is not X,Y" in odd.stderr


def test_the_depth_inside_a_photo_is_used_unless_told_otherwise(
    focuskit: Run, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    pixels = np.rint(np.minimum(half, 1) ** 0.45 * 255).astype(np.uint8)
    ramp = np.tile(np.linspace(255, 0, WIDTH // 2), (HEIGHT // 2, 1)).astype(np.uint8)
    photo = save_heic_with_depth(tmp_path / "portrait.heic", pixels, ramp)
    arguments = ("bokeh", photo, *STRENGTH, "-d", "reblur", "--as", "tif", "-f", "json", "-o")

    inside = focuskit(*arguments, tmp_path / "a", "--focus", "95%,50%")
    without = focuskit(*arguments, tmp_path / "b", "--no-embedded-depth")

    assert (inside.returncode, without.returncode) == (0, 0), inside.stderr + without.stderr
    assert json.loads(inside.stdout)[0]["map"] == ["embedded depth", "reblur"]
    assert json.loads(without.stdout)[0]["map"] == ["reblur"]
    # The depth has its plane at the right, where the photo itself is out of focus.
    made, source = read_photo(tmp_path / "a" / "portrait-bokeh.tif").rgb, read_photo(photo).rgb
    changed = np.abs(made - source).mean(axis=(0, 2))
    assert changed[:60].mean() > 10 * changed[-6:].mean()


def test_distances_and_the_lens_ask_no_detector(focuskit: Run, tmp_path: Path, photo: Path) -> None:
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    details[0x829D], details[0x920A], details[0x9206] = 2.0, 50.0, 1.5
    details[0xA405] = 50
    Image.open(photo).save(tmp_path / "known.jpg", exif=exif)
    metres = np.tile(np.linspace(1.5, 30, WIDTH), (HEIGHT, 1)).astype(np.float32)
    depth = tmp_path / "metres.tif"
    tifffile.imwrite(depth, metres)

    answer = focuskit(
        *("bokeh", tmp_path / "known.jpg", "--f-number", "1", "--depth", depth, "-f", "json"),
        *("-o", tmp_path / "out"),
    )

    assert answer.returncode == 0, answer.stderr
    (record,) = json.loads(answer.stdout)
    assert record["map"] == [str(depth), "thin lens"]
    assert record["changed_share"] > 0.5


def test_maps_that_do_not_fit_are_told(focuskit: Run, tmp_path: Path, photo: Path) -> None:
    wrong = _painted(tmp_path / "wrong.png", HEIGHT, WIDTH + 20)
    turned = _painted(tmp_path / "turned.png", WIDTH, HEIGHT)
    arguments = ("magnify", photo, "-o", tmp_path / "out", "-d", "reblur", "--map")

    for path, words in (
        (wrong, "is 180×120 pixels, the photo 160×120"),
        (turned, "it is portrait, the photo landscape"),
        (tmp_path / "nowhere.png", "does not exist"),
        (photo, "a picture in colour"),
    ):
        answer = focuskit(*arguments, path)

        assert answer.returncode == 3
        assert words in answer.stderr
        assert "Traceback" not in answer.stderr
    assert results_in(tmp_path / "out") == []


def test_a_map_of_one_photo_serves_no_other(
    focuskit: Run, tmp_path: Path, photo: Path, coc: Path
) -> None:
    shutil.copy(photo, photo.parent / "IMG_2.jpg")
    maps, out = tmp_path / "maps", tmp_path / "out"

    refused = focuskit("magnify", photo.parent, "-o", out, "--coc", coc)
    focuskit("detect", photo.parent, "-o", maps, "-d", "reblur")
    folder = focuskit("magnify", photo.parent, "-o", out, "--map", maps, "-f", "jsonl")

    assert refused.returncode == 1
    assert "belongs to one photo, and 2 were given" in refused.stderr
    assert folder.returncode == 0, folder.stderr
    records = [json.loads(line) for line in folder.stdout.splitlines()]
    assert [record["map"][0] for record in records] == [
        str(maps / "IMG_1.jpg-map.png"),
        str(maps / "IMG_2.jpg-map.png"),
    ]


def test_a_saved_map_gives_what_the_detector_gives(
    focuskit: Run, tmp_path: Path, photo: Path
) -> None:
    maps = tmp_path / "maps"
    focuskit("detect", photo, "-o", maps, "-d", "reblur")
    common = ("magnify", photo, "--as", "png", "-o")

    focuskit(*common, tmp_path / "a", "-d", "reblur")
    focuskit(*common, tmp_path / "b", "--map", maps / "IMG_1.jpg-map.png")

    first, second = (read_photo(tmp_path / name / "IMG_1-magnify.png").rgb for name in "ab")
    # Rounded to the files' steps, some pixels fall to the other side of a threshold.
    assert (np.abs(first - second).max(axis=2) > 0.002).mean() < 0.04


@pytest.mark.parametrize("options", [(), ("--f-number", "2", "--strength", "3")])
def test_bokeh_wants_exactly_one_amount(
    focuskit: Run, photo: Path, options: tuple[str, ...]
) -> None:
    answer = focuskit("bokeh", photo, *options)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert "exactly one" in answer.stderr


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("magnify", ("--factor", "0.5")),
        ("bokeh", ("--f-number", "0.2")),
        ("bokeh", ("--strength", "11")),
        ("bokeh", (*STRENGTH, "--blades", "4")),
        ("bokeh", (*STRENGTH, "--ring", "2")),
        ("bokeh", (*STRENGTH, "--quality", "0")),
    ],
)
def test_settings_out_of_range_are_usage_errors(
    focuskit: Run, photo: Path, command: str, options: tuple[str, ...]
) -> None:
    answer = focuskit(command, photo, *options)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert options[-2] in answer.stderr


def test_an_f_number_that_would_sharpen_is_refused(
    focuskit: Run, photo: Path, coc: Path, tmp_path: Path
) -> None:
    answer = focuskit("bokeh", photo, "-o", tmp_path / "out", "--coc", coc, "--f-number", "8")

    assert answer.returncode == 3
    assert "taken at f/4" in answer.stderr


def test_nothing_asked_for_is_nothing_changed_and_said(
    focuskit: Run, photo: Path, coc: Path, tmp_path: Path
) -> None:
    options = ("--coc", coc, "--factor", "1", "-f", "json")
    answer = focuskit("magnify", photo, "-o", tmp_path / "out", *options)

    assert answer.returncode == 0
    assert json.loads(answer.stdout)[0]["changed_share"] == 0
    assert "IMG_1.jpg: Nothing changed" in answer.stderr


def test_tables_show_the_essentials_and_csv_all(
    focuskit: Run, photo: Path, coc: Path, tmp_path: Path
) -> None:
    arguments = ("magnify", photo, "-o", tmp_path / "out", "--coc", coc, "--overwrite", "-f")

    table = focuskit(*arguments, "table").stdout.splitlines()
    rows = focuskit(*arguments, "csv").stdout.splitlines()

    assert table[0].split() == ["shot", "operation", "changed_share", "seconds", "file"]
    assert "factor=2.0; blades=0" in rows[1]


@pytest.mark.parametrize("command", ["magnify", "bokeh"])
def test_places_and_names_are_checked_before_the_work(
    focuskit: Run, tmp_path: Path, photo: Path, command: str
) -> None:
    settings = STRENGTH if command == "bokeh" else ()
    (tmp_path / "nothing").mkdir()

    empty = focuskit(command, tmp_path / "nothing", *settings)
    missing = focuskit(command, tmp_path / "nowhere.jpg", *settings)
    inside = focuskit(command, photo.parent, *settings, "-o", photo.parent / "out")
    unknown = focuskit(command, photo, *settings, "-d", "rebluur")

    assert empty.returncode == 4
    assert (missing.returncode, inside.returncode, unknown.returncode) == (1, 1, 1)
    assert "does not exist" in missing.stderr
    assert "lies inside the library" in inside.stderr
    assert "did you mean reblur?" in unknown.stderr


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that even root cannot write")
def test_a_read_only_output_folder_is_said(focuskit: Run, photo: Path) -> None:
    answer = focuskit("bokeh", photo, *STRENGTH, "-o", "/proc")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert "Nothing can be written to /proc" in answer.stderr
