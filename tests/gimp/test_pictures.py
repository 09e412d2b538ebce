"""Every procedure on every kind of image: the command line's pixels, in the right place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.gimp.conftest import REPOSITORY, Answer, Gimp, focuskit, pixels
from tests.gimp.kinds import (
    KINDS,
    STEP,
    command,
    commands_values,
    differences,
    perceptual,
    save_given,
    save_kinds,
)

pytestmark = pytest.mark.gimp

BOX = (40, 30, 150, 110)
"""What is selected, x, y, width, height."""
OFFSET = (25, -15)

EDITS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "magnify": ("focuskit-magnify", {"factor": 2.5}, ["--factor", "2.5"]),
    "bokeh": (
        "focuskit-bokeh",
        {"amount-by": "strength", "strength": 8.0, "blades": 6, "cats-eye": 0.4},
        ["--strength", "8", "--blades", "6", "--cats-eye", "0.4"],
    ),
    "refocus": (
        "focuskit-refocus",
        {"at": "coordinates", "x": 30.0, "y": 150.0},
        ["--at", "30,150"],
    ),
}


@pytest.fixture(scope="module")
def photos(gimp: Gimp) -> Path:
    """A folder with one small photo, a flower before a soft background, in every kind of file."""
    with Image.open(REPOSITORY / "samples" / "IMG_0001.jpg") as photo:
        small = photo.resize((320, 214)).crop((10, 5, 310, 205))
    folder = save_kinds(small, gimp.base / "photos ü")
    rgb = np.asarray(small)
    cover = np.full(rgb.shape[:2], 255, np.uint8)
    cover[:40, :60], cover[40:80, :60] = 0, 128
    hidden = np.where(cover[..., None] == 0, np.uint8([0, 255, 0]), rgb)
    Image.fromarray(np.dstack([hidden, cover])).save(folder / "holes.png")
    return folder


@pytest.fixture(scope="module")
def maps(gimp: Gimp, photos: Path) -> dict[str, Answer]:
    """The focus map of every kind of image, as a layer."""
    jobs = [
        {
            "file": str(photos / kind),
            "before": before,
            "procedure": "focuskit-focus-map",
            "arguments": {"as": "layer"},
        }
        for kind, before in KINDS.items()
    ]
    return dict(zip(KINDS, gimp.run(jobs), strict=True))


@pytest.fixture(scope="module")
def given(photos: Path, maps: dict[str, Answer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same samples for the command line."""
    folder = tmp_path_factory.mktemp("commands") / "given"
    save_given(photos, maps, folder)
    return folder


@pytest.fixture(scope="module")
def results(gimp: Gimp, photos: Path) -> dict[tuple[str, str], Answer]:
    """All edits of all kinds, done in one GIMP."""
    keys = [(edit, kind) for edit in EDITS for kind in KINDS]
    jobs = [
        {
            "file": str(photos / kind),
            "before": KINDS[kind],
            "procedure": EDITS[edit][0],
            "arguments": {**EDITS[edit][1], **without_grain(edit)},
        }
        for edit, kind in keys
    ]
    return dict(zip(keys, gimp.run(jobs), strict=True))


def without_grain(edit: str) -> dict[str, bool]:
    return {"grain": False} if edit in ("magnify", "bokeh") else {}


@pytest.fixture(scope="module")
def commands(given: Path) -> Path:
    """What the command line makes of them."""
    made = given.parent / "made"
    for edit, (_, _, words) in EDITS.items():
        command(edit, given, made, *words, *(["--no-grain"] if without_grain(edit) else []))
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edit", EDITS)
def test_pixels_equal_the_command_lines(
    results: dict[tuple[str, str], Answer], commands: Path, edit: str, kind: str
) -> None:
    answer = results[edit, kind]
    assert answer.ok, answer.error

    (layer,) = answer.layers
    made = perceptual(layer)
    assert differences(made, commands_values(commands, edit, kind)).max() <= STEP
    original = perceptual(answer["before"])
    assert np.abs(made - original).max() > 5 / 255, "the edit did nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_the_confidence_equals_the_command_lines(
    results: dict[tuple[str, str], Answer], commands: Path, kind: str
) -> None:
    (channel,) = results["refocus", kind].channels
    with Image.open(commands / f"{Path(kind).stem}-refocus-confidence.png") as picture:
        expected = np.asarray(picture).astype(np.float64) / 65535
    assert np.abs(pixels(channel)[..., 0] - expected).max() <= STEP


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("edit", EDITS)
def test_the_photo_stays_and_the_result_lies_above(
    results: dict[tuple[str, str], Answer], edit: str, kind: str
) -> None:
    answer = results[edit, kind]
    (layer,) = answer.layers
    before, after = (Path(answer[name]["file"]).read_bytes() for name in ("before", "after"))
    assert before == after
    assert answer["before"]["format"] == answer["after"]["format"]
    assert (layer["position"], answer["place"]) == (0, 1)
    assert layer["offset"] == [0, 0]
    assert layer["name"].lower().startswith(edit)
    assert layer["visible"]
    channels = [each["name"] for each in answer.channels]
    assert channels == (["Refocus (30, 150): confidence"] if edit == "refocus" else [])


@pytest.fixture(scope="module")
def placed(gimp: Gimp, photos: Path) -> dict[str, Answer]:
    """Edits with a selection, on a layer that lies partly outside the canvas, and the like."""
    file = str(photos / "rgb8.png")
    select, offset = ["select", *BOX], ["offset", *OFFSET]
    magnify = {"procedure": "focuskit-magnify", "arguments": {"factor": 2.5, "grain": False}}

    def map_(as_: str, *before: list[Any], name: str = file) -> dict[str, Any]:
        arguments = {"as": as_}
        place = {"file": name, "before": list(before)}
        return {**place, "procedure": "focuskit-focus-map", "arguments": arguments}

    indexed = str(photos / "indexed.png")
    jobs: dict[str, dict[str, Any]] = {
        "plain": {"file": file, **magnify},
        "holes": {"file": str(photos / "holes.png"), **magnify},
        "selected": {"file": file, "before": [select], **magnify},
        "offset": {"file": file, "before": [offset], **magnify},
        "both": {"file": file, "before": [offset, select], **magnify},
        "map-layer": map_("layer"),
        "map-mask": map_("layer-mask"),
        "map-channel": map_("channel", offset),
        "map-selection": map_("selection"),
        "map-indexed": map_("channel", name=indexed),
        "map-gray": map_("layer", name=str(photos / "gray.png")),
        "indexed": {"file": indexed, **magnify},
        "group": {"file": file, "before": [["group"]], **magnify},
        "refocus-selection": {
            "file": file,
            "before": [["select", 20, 140, 21, 21]],
            "procedure": "focuskit-refocus",
            "arguments": {"at": "selection"},
        },
        "refocus-path": {
            "file": file,
            "before": [["path", 30, 150]],
            "procedure": "focuskit-refocus",
            "arguments": {"at": "path"},
        },
        "refocus-nothing": {
            "file": file,
            "procedure": "focuskit-refocus",
            "arguments": {"at": "path"},
        },
        "check-flower": {
            "file": file,
            "before": [["select", 110, 60, 70, 70]],
            "procedure": "focuskit-check-focus",
        },
        "check-background": {
            "file": file,
            "before": [["select", 230, 10, 60, 60]],
            "procedure": "focuskit-check-focus",
        },
    }
    return dict(zip(jobs, gimp.run(list(jobs.values())), strict=True))


def test_a_selection_becomes_the_results_mask(placed: dict[str, Answer]) -> None:
    x, y, width, height = BOX
    for name, (dx, dy) in {"selected": (0, 0), "both": OFFSET}.items():
        answer = placed[name]
        assert answer.ok, answer.error
        (layer,) = answer.layers
        mask = pixels(layer["mask"])[..., 0]
        inside = np.zeros(mask.shape, bool)
        inside[max(0, y - dy) : y - dy + height, max(0, x - dx) : x - dx + width] = True
        assert np.array_equal(mask > 0.5, inside)
        assert set(np.unique(mask)) == {0.0, 1.0}


def test_what_is_transparent_stays_so_and_shines_into_nothing(placed: dict[str, Answer]) -> None:
    answer = placed["holes"]
    assert answer.ok, answer.error
    (layer,) = answer.layers
    made, before = pixels(layer), pixels(answer["before"])
    assert np.array_equal(made[..., 3], before[..., 3])
    seen = made[..., 3] > 0
    greener = made[..., 1] - made[..., [0, 2]].max(axis=2)
    assert greener[seen].max() <= (before[..., 1] - before[..., [0, 2]].max(axis=2))[seen].max()


def test_layers_off_the_canvas_are_done_whole(placed: dict[str, Answer]) -> None:
    (plain,), (moved,) = placed["plain"].layers, placed["offset"].layers
    assert moved["offset"] == list(OFFSET)
    assert np.array_equal(pixels(plain), pixels(moved))


def test_a_focus_map_comes_as_what_was_asked_for(placed: dict[str, Answer]) -> None:
    (layer,) = placed["map-layer"].layers
    as_layer = perceptual(layer)[..., 0]
    flower, background = (slice(60, 130), slice(110, 180)), (slice(10, 70), slice(230, 290))
    assert as_layer[flower].mean() > 0.9
    assert as_layer[background].mean() < 0.1

    answer = placed["map-mask"]
    assert answer.ok, answer.error
    mask = pixels(answer["mask"])[..., 0]
    assert mask[flower].mean() > 0.9
    assert mask[background].mean() < 0.1

    (channel,) = placed["map-channel"].channels
    assert channel["name"].startswith("Focus")
    dx, dy = OFFSET
    moved = pixels(channel)[..., 0]
    assert moved.shape == as_layer.shape  # of the canvas, where the layer has been moved
    assert moved[60 + dy : 130 + dy, 110 + dx : 180 + dx].mean() > 0.9

    chosen = pixels(placed["map-selection"]["chosen"])[..., 0]
    assert chosen[flower].mean() > 0.9
    assert chosen[background].mean() < 0.1


def test_indexed_images_take_maps_and_say_why_they_take_no_edit(placed: dict[str, Answer]) -> None:
    assert placed["map-indexed"].ok, placed["map-indexed"].error
    assert placed["map-gray"].ok, placed["map-gray"].error
    refused = placed["indexed"]
    if refused.ok:
        (layer,) = refused.layers
        assert not np.array_equal(pixels(layer), pixels(refused["before"]))
        return
    assert refused["status"] == "EXECUTION_ERROR"
    assert "RGB" in refused.error
    assert not refused.layers


def test_what_holds_no_pixels_is_refused_with_a_sentence(placed: dict[str, Answer]) -> None:
    answer = placed["group"]
    assert answer["status"] in ("EXECUTION_ERROR", "CALLING_ERROR")
    assert answer.error.endswith(".")
    assert not [each for each in answer.layers if each["name"] != "group"]


def test_the_plane_is_where_the_person_marked_it(placed: dict[str, Answer]) -> None:
    by_selection, by_path = placed["refocus-selection"], placed["refocus-path"]
    assert by_selection.ok, by_selection.error
    assert by_path.ok, by_path.error
    (one,), (other,) = by_selection.layers, by_path.layers
    assert np.array_equal(pixels(one), pixels(other))
    assert "(30, 150)" in other["name"]

    nothing = placed["refocus-nothing"]
    assert nothing["status"] in ("EXECUTION_ERROR", "CALLING_ERROR")
    assert "path" in nothing.error


def test_checking_tells_the_flower_from_its_background(placed: dict[str, Answer]) -> None:
    flower, background = placed["check-flower"], placed["check-background"]
    assert flower.ok, flower.error
    assert background.ok, background.error
    words = [
        [value for value in each["values"] if isinstance(value, str)]
        for each in (flower, background)
    ]
    assert "sharp" in words[0]
    assert "sharp" not in words[1]
    assert not flower.layers
    assert not flower.channels


@pytest.fixture(scope="module")
def detected(given: Path) -> Path:
    """The maps that the command line finds in the same samples."""
    output = given.parent / "maps"
    done = focuskit("detect", given, "-o", output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("kind", KINDS)
def test_the_focus_map_equals_the_command_lines(
    maps: dict[str, Answer], detected: Path, kind: str
) -> None:
    answer = maps[kind]
    assert answer.ok, answer.error

    (file,) = detected.glob(f"{Path(kind).stem}.*-map.png")
    with Image.open(file) as picture:
        expected = np.asarray(picture).astype(np.float64) / 65535
    (layer,) = answer.layers
    difference = np.abs(perceptual(layer)[..., 0] - expected)
    assert difference.max() <= STEP
