"""What is wrong with photos, settings and folders is said; no edit fails quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import focuskit
from focuskit.blurmap import BlurMap
from focuskit.cli import main
from focuskit.color import encode_srgb
from focuskit.errors import InputError, RangeError, ShapeError
from focuskit.photo import Photo
from tests.scenes import as_photo, blurred, make_scene
from tests.unit.cli.conftest import results_in

HEIGHT, WIDTH = 120, 160
COMMANDS = {"magnify": ("--factor", "2"), "bokeh": ("--strength", "5")}


@dataclass(frozen=True)
class Answer:
    code: int
    stdout: str
    stderr: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command line in this process, which spares the start of another one."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["focuskit", *map(os.fspath, arguments)])  # type: ignore[call-overload]
        code = 0
        try:
            main()
        except SystemExit as exc:
            code = int(exc.code or 0)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def half() -> NDArray[np.float32]:
    scene = make_scene(HEIGHT, WIDTH, seed=3)
    scene[:, WIDTH // 2 :] = blurred(scene, 5.0)[:, WIDTH // 2 :]
    return scene


def encoded(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(encode_srgb(rgb), 0, 1) * 255).astype(np.uint8)


def save(path: Path, rgb: NDArray[np.float32], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(encoded(rgb.astype(np.float32))).save(path, **options)
    return path


def refused(ask: Ask, command: str, photo: Path, out: Path, *options: object) -> str:
    """What is said of a photo that cannot be edited; nothing may have been written."""
    given = options or COMMANDS[command]
    answer = ask(command, photo, "-o", out, "-d", "reblur", *given)
    assert answer.code == 3, answer
    assert "Traceback" not in answer.stderr
    assert answer.stderr.strip().endswith(".")
    assert not results_in(out)
    return answer.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_photo_without_anything_in_focus(ask: Ask, tmp_path: Path, command: str) -> None:
    photo = save(tmp_path / "soft.png", blurred(make_scene(HEIGHT, WIDTH, seed=3), 12.0))

    said = refused(ask, command, photo, tmp_path / "out")

    assert "Nothing in this photo is in focus" in said
    assert "--map" in said


def test_a_map_that_is_black_everywhere(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    photo = save(tmp_path / "half.png", half)
    Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / "black.png")
    options = (*COMMANDS["bokeh"], "--map", tmp_path / "black.png")

    said = refused(ask, "bokeh", photo, tmp_path / "out", *options)

    assert "The map calls nothing in focus" in said


@pytest.mark.parametrize(
    ("command", "words"),
    [("magnify", "Nothing in this photo is out of focus"), ("bokeh", "nothing out of focus")],
)
def test_a_photo_without_anything_out_of_focus(
    ask: Ask, tmp_path: Path, command: str, words: str
) -> None:
    photo = save(tmp_path / "sharp.png", make_scene(HEIGHT, WIDTH, seed=3))
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save(tmp_path / "x-coc.png")
    options = (*COMMANDS[command], "--coc", tmp_path / "x-coc.png")

    said = refused(ask, command, photo, tmp_path / "out", *options)

    assert words in said
    assert "--map" in said


def test_a_photo_of_which_hardly_anything_changes_is_said(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    photo = save(tmp_path / "half.png", half)
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[60:63, -30:] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    options = ("--mask", tmp_path / "mask.png", "--strength", "5", "-d", "reblur")

    answer = ask("bokeh", photo, "-o", tmp_path / "out", *options)

    assert answer.code == 0
    assert "of the picture changed" in answer.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1)])
def test_photos_of_a_row_or_a_pixel(
    ask: Ask, tmp_path: Path, command: str, size: tuple[int, int]
) -> None:
    rgb = np.random.default_rng(0).random((*size, 3), np.float32)
    photo = save(tmp_path / "thin.png", rgb)

    assert "--map" in refused(ask, command, photo, tmp_path / "out")


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "1", "P"])
def test_grey_and_transparent_photos_are_photos(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32], mode: str
) -> None:
    Image.fromarray(encoded(half)).convert(mode).save(tmp_path / "odd.png")
    coc = np.zeros((HEIGHT, WIDTH), np.uint16)
    coc[:, WIDTH // 2 :] = 5 * 64
    Image.fromarray(coc).save(tmp_path / "x-coc.png")
    options = ("--coc", tmp_path / "x-coc.png", "--strength", "5")

    answer = ask("bokeh", tmp_path / "odd.png", "-o", tmp_path / "out", *options)

    assert answer.code == 0, answer.stderr
    assert (tmp_path / "out" / "odd-bokeh.tif").is_file()


def test_numbers_that_are_no_light(half: NDArray[np.float32]) -> None:
    coc = np.zeros((HEIGHT, WIDTH), np.float32)
    for bad in (np.nan, np.inf, -1.0):
        rgb = half.copy()
        rgb[3, 5, 1] = bad
        with pytest.raises(RangeError, match=r"Photo.rgb must"):
            Photo(rgb)
        values = coc.copy()
        values[3, 5] = bad
        with pytest.raises(RangeError, match=r"coc_diameter_px must"):
            BlurMap(np.ones_like(coc), values, np.ones_like(coc))
    with pytest.raises(ShapeError, match=r"\(H, W, 3\)"):
        Photo(half[..., 0])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"f_number": 0.3}, "f_number must be >= 0.5"),
        ({"f_number": float("nan")}, "f_number must be"),
        ({"f_number": 5.6}, "was taken at f/4"),
        ({"strength": 0.0}, "strength must be above 0"),
        ({"strength": 11.0}, "strength must be"),
        ({}, "either f_number or strength"),
    ],
)
def test_settings_of_bokeh_that_make_no_sense(
    half: NDArray[np.float32], settings: dict[str, float], words: str
) -> None:
    photo = Photo(half, exif=focuskit.Exif(f_number=4.0))

    with pytest.raises(InputError, match=words):
        focuskit.bokeh(photo, half_map(), **settings)


@pytest.mark.parametrize("factor", [0.99, 0.0, -1.0, 21.0, float("nan")])
def test_factors_that_magnify_nothing(half: NDArray[np.float32], factor: float) -> None:
    with pytest.raises(RangeError, match="factor must be >= 1"):
        focuskit.magnify(as_photo(half), half_map(), factor=factor)


def half_map() -> BlurMap:
    coc = np.zeros((HEIGHT, WIDTH), np.float32)
    coc[:, WIDTH // 2 :] = 5
    return BlurMap((coc == 0).astype(np.float32), coc, np.ones_like(coc))


def test_f_numbers_that_no_lens_has_and_some_that_this_one_lacks(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    exif = Image.Exif()
    details = exif.get_ifd(0x8769)
    # Taken at f/4 with a lens that opens to f/2.8.
    details[0x829D], details[0x9205] = 4.0, 2.97
    photo = save(tmp_path / "half.jpg", half, exif=exif)
    common = ("bokeh", photo, "-o", tmp_path / "out", "-d", "reblur", "--f-number")

    unphysical, wished = ask(*common, "0.3"), ask(*common, "1.4")

    assert unphysical.code == 2
    assert "--f-number" in unphysical.stderr
    assert wished.code == 0, wished.stderr


def test_without_exif_a_strength_is_named_instead(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    photo = save(tmp_path / "half.png", half)

    said = refused(ask, "bokeh", photo, tmp_path / "out", "--f-number", "1.4")

    assert "give --strength instead" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_points_outside_and_points_that_are_blurred(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32], command: str
) -> None:
    photo = save(tmp_path / "half.png", half)
    given = COMMANDS[command]

    outside = refused(ask, command, photo, tmp_path / "a", *given, "--focus", f"{WIDTH},3")
    soft = refused(ask, command, photo, tmp_path / "b", *given, "--focus", "80%,50%")
    sharp = ask(
        *(command, photo, "-o", tmp_path / "c", "-d", "reblur", *given, "--focus", "20%,50%")
    )

    assert "lies outside the photo, which is 160×120 pixels" in outside
    assert "use refocus" in soft
    assert sharp.code == 0, sharp.stderr


def test_a_point_beside_a_painted_map_is_one_word_too_many(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    photo = save(tmp_path / "half.png", half)
    painted = np.zeros((HEIGHT, WIDTH), np.uint8)
    painted[:, :80] = 255
    Image.fromarray(painted).save(tmp_path / "painted.png")
    options = (*COMMANDS["bokeh"], "--map", tmp_path / "painted.png", "--focus", "5,5")

    assert "leave out --focus" in refused(ask, "bokeh", photo, tmp_path / "out", *options)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98])
def test_cut_off_photos(ask: Ask, tmp_path: Path, half: NDArray[np.float32], share: float) -> None:
    whole = save(tmp_path / "whole.jpg", half).read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: int(len(whole) * share)])

    said = refused(ask, "bokeh", cut, tmp_path / "out")

    assert str(cut) in said


def test_two_photos_of_one_name_do_not_share_a_result(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    first = save(tmp_path / "a" / "IMG_1.png", half)
    second = save(tmp_path / "b" / "IMG_1.png", half[::-1])
    out = tmp_path / "out"

    answer = ask("bokeh", first, second, "-o", out, "-d", "reblur", "--strength", "5")

    made = [out / name for name in results_in(out)]
    assert answer.code == 0, answer.stderr
    assert len(made) == 2, made
    assert made[0].read_bytes() != made[1].read_bytes()


def test_a_disk_that_is_full_leaves_nothing_behind(
    tmp_path: Path, half: NDArray[np.float32]
) -> None:
    resource = pytest.importorskip("resource")
    photo, out = save(tmp_path / "half.png", np.tile(half, (2, 2, 1))), tmp_path / "out"
    command = Path(sys.executable).parent / "focuskit"

    def full() -> None:
        # Writing beyond so many bytes fails, with another number than on a full disk; the catalog,
        # which is smaller than the photo, can be written.
        resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, 250_000))

    answer = subprocess.run(
        [command, "bokeh", photo, "-o", out, "-d", "reblur", "--strength", "5"],
        preexec_fn=full,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 3
    assert "Traceback" not in answer.stderr
    assert "cannot be written" in answer.stderr
    assert not results_in(out)


def test_an_earlier_result_and_the_photo_itself_stay(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    photo = save(tmp_path / "in" / "half-bokeh.png", half)
    save(tmp_path / "in" / "half.png", half)
    common = ("-d", "reblur", "--strength", "5", "--as", "png", "-o", photo.parent)
    before = photo.read_bytes()

    exists = ask("bokeh", photo.with_name("half.png"), *common)
    itself = ask("bokeh", photo, photo.with_name("half.png"), *common, "--overwrite")

    assert (exists.code, itself.code) == (3, 3)
    assert "exists already; add --overwrite" in exists.stderr
    assert "originals are never replaced" in itself.stderr
    assert photo.read_bytes() == before


def test_an_output_that_is_a_file(ask: Ask, tmp_path: Path, half: NDArray[np.float32]) -> None:
    photo = save(tmp_path / "half.png", half)

    answer = ask("bokeh", photo, "-o", photo, "--strength", "5")

    assert answer.code == 1
    assert "is a file, not a folder" in answer.stderr


def test_a_point_in_focus_tells_refocus_nothing_without_a_depth(
    ask: Ask, tmp_path: Path, half: NDArray[np.float32]
) -> None:
    photo = save(tmp_path / "half.png", half)
    options = ("--at", "80%,50%", "--focus", "20%,50%")

    assert "give one with --depth" in refused(ask, "refocus", photo, tmp_path / "out", *options)
