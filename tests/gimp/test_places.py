"""Every procedure with a selection, on a layer that lies partly off the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.gimp.conftest import Answer, Gimp, focuskit, pixels
from tests.gimp.kinds import (
    STEP,
    blurred_beside_sharp,
    command,
    commands_values,
    differences,
    perceptual,
    save_kinds,
)

pytestmark = pytest.mark.gimp

WIDTH, HEIGHT = 128, 96
BOX = (10, 5, 70, 60)
"""What is selected of the canvas, x, y, width, height: its left end lies beside the layer."""
OFFSET = (25, -15)
"""Of the layer, which is as large as the canvas."""

EDITS: dict[str, tuple[str, str, dict[str, Any], list[str]]] = {
    "magnify": (
        "adobe.png",
        "focuskit-magnify",
        {"factor": 2.5, "grain": False},
        ["--factor", "2.5", "--no-grain"],
    ),
    "bokeh": (
        "rgb16.tif",
        "focuskit-bokeh",
        {"amount-by": "strength", "strength": 6.0, "grain": False},
        ["--strength", "6", "--no-grain"],
    ),
    # In the image, and on the layer.
    "refocus": (
        "alpha.png",
        "focuskit-refocus",
        {"at": "coordinates", "x": 45.0, "y": 35.0},
        ["--at", "20,50"],
    ),
    "deblur": (
        "rgb8.png",
        "focuskit-deblur-regions",
        {"apply": True, "background": True},
        ["--apply", "--background"],
    ),
}
"""File, procedure, its arguments, the command's options."""
MAP = "adobe16.tif"
KINDS_OF_MAP = ("layer", "layer-mask", "channel", "selection")


@pytest.fixture(scope="module")
def photos(gimp: Gimp) -> Path:
    """A photo out of focus beside a sharp one, as every kind of file."""
    return save_kinds(blurred_beside_sharp(), gimp.base / "places")


@pytest.fixture(scope="module")
def answers(gimp: Gimp, photos: Path) -> dict[str, Answer]:
    """What all procedures made, in one GIMP."""
    place = {"before": [["offset", *OFFSET], ["select", *BOX]], "looks": True}
    jobs: dict[str, dict[str, Any]] = {}
    for edit, (file, procedure, arguments, _) in EDITS.items():
        what = {"procedure": procedure, "arguments": arguments}
        jobs[edit] = {**place, "file": str(photos / file), **what}
    for kind in KINDS_OF_MAP:
        what = {"procedure": "focuskit-focus-map", "arguments": {"as": kind}}
        jobs[kind] = {**place, "file": str(photos / MAP), **what}
    return dict(zip(jobs, gimp.run(list(jobs.values())), strict=True))


@pytest.fixture(scope="module")
def commands(photos: Path) -> Path:
    """What the command line makes of the layers' own pixels."""
    made = photos.parent / "places-made"
    for edit, (file, _, _, words) in EDITS.items():
        command(edit, photos / file, made, *words)
    done = focuskit("detect", photos / MAP, "-o", made)
    assert done.returncode == 0, done.stderr
    return made


def selected_of_layer() -> NDArray[np.bool_]:
    x, y = BOX[0] - OFFSET[0], BOX[1] - OFFSET[1]
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[max(0, y) : y + BOX[3], max(0, x) : x + BOX[2]] = True
    return inside


def on_canvas(of_layer: NDArray[Any], around: NDArray[Any]) -> NDArray[Any]:
    """Return what lies on the layer where the layer lies on the canvas."""
    x, y = OFFSET
    result = around.copy()
    result[: HEIGHT + y, x:] = of_layer[-y:, : WIDTH - x]
    return result


@pytest.mark.parametrize("edit", EDITS)
def test_inside_the_selection_the_command_lines_pixels_are_seen(
    answers: dict[str, Answer], commands: Path, edit: str
) -> None:
    answer = answers[edit]
    assert answer.ok, answer.error

    (layer,) = answer.layers
    expected = commands_values(commands, edit, EDITS[edit][0])
    assert differences(perceptual(layer), expected).max() <= STEP

    # What is seen of it: its part on the canvas.
    before, after = (perceptual(each) for each in answer["looks"])
    part = np.s_[-OFFSET[1] :, : WIDTH - OFFSET[0]]
    inside = selected_of_layer()[part]
    wanted = np.where(inside[..., None], expected[part], before)
    assert differences(after, wanted).max() <= STEP
    assert differences(after, before)[inside].max() > 5 / 255, "nothing is seen of the edit"


@pytest.mark.parametrize("edit", EDITS)
def test_the_layer_lies_on_the_photo_and_shows_the_selection_only(
    answers: dict[str, Answer], edit: str
) -> None:
    answer = answers[edit]
    (layer,) = answer.layers
    assert (layer["position"], answer["place"]) == (0, 1)
    assert layer["offset"] == list(OFFSET) == answer["source"][1:]
    assert (layer["width"], layer["height"]) == (WIDTH, HEIGHT)
    assert layer["format"] == answer["before"]["format"]
    before, after = (Path(answer[name]["file"]).read_bytes() for name in ("before", "after"))
    assert before == after

    mask, inside = pixels(layer["mask"])[..., 0], selected_of_layer()
    if edit != "deblur":
        assert np.array_equal(mask, inside)
        return
    # Pixels that are as they were are masked, too.
    changed = (pixels(layer) != pixels(answer["before"])).any(axis=2)
    assert set(np.unique(mask)) == {0, 1}
    assert not mask[~inside].any()
    assert mask[inside & changed].all()


def test_the_confidence_of_refocus_lies_where_the_layer_is(
    answers: dict[str, Answer], commands: Path
) -> None:
    (channel,) = answers["refocus"].channels
    assert channel["name"] == "Refocus (45, 35): confidence"
    with Image.open(commands / "alpha-refocus-confidence.png") as picture:
        expected = np.asarray(picture).astype(np.float64) / 65535
    expected = on_canvas(expected, np.zeros((HEIGHT, WIDTH)))
    assert np.abs(pixels(channel)[..., 0] - expected).max() <= STEP


@pytest.mark.parametrize("kind", KINDS_OF_MAP)
def test_a_focus_map_is_cut_with_the_selection(
    answers: dict[str, Answer], commands: Path, kind: str
) -> None:
    answer = answers[kind]
    assert answer.ok, answer.error

    with Image.open(commands / f"{MAP}-map.png") as picture:
        of_layer = np.asarray(picture).astype(np.float64) / 65535
    inside = selected_of_layer()
    if kind == "layer":
        (layer,) = answer.layers
        assert layer["offset"] == list(OFFSET)
        assert np.abs(perceptual(layer)[..., 0] - of_layer).max() <= STEP
        assert np.array_equal(pixels(layer["mask"])[..., 0], inside)
        return
    cut = of_layer * inside
    if kind == "layer-mask":
        found = pixels(answer["mask"])[..., 0]
    else:
        cut = on_canvas(cut, np.zeros((HEIGHT, WIDTH)))
        dump = answer["chosen"] if kind == "selection" else answer.channels[0]
        found = pixels(dump)[..., 0]
    assert not answer.layers
    assert len(answer.channels) == (kind == "channel")
    assert np.abs(found - cut).max() <= STEP
