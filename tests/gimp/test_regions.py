"""Deblur Regions and Check Focus on every kind of image: what the command line finds there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from focuskit.bridge.checking import checked
from focuskit.color import encoded_gray
from focuskit.detect import DEFAULT_DETECTOR, DETECTORS
from focuskit.io import read_photo
from focuskit.optics.blind import with_edges
from tests.gimp.conftest import Answer, Gimp, pixels
from tests.gimp.kinds import (
    KINDS,
    STEP,
    blurred_beside_sharp,
    command,
    commands_values,
    differences,
    perceptual,
    save_given,
    save_kinds,
)

pytestmark = pytest.mark.gimp

EVERY = [*KINDS, "indexed.png"]
PARTS = {"blurred": (8, 10, 62, 70), "sharp": (90, 10, 34, 70)}
"""What is selected for a check, x, y, width, height."""


@pytest.fixture(scope="module")
def photos(gimp: Gimp) -> Path:
    """A photo out of focus beside a sharp one, as every kind of file."""
    return save_kinds(blurred_beside_sharp(), gimp.base / "regions")


@pytest.fixture(scope="module")
def answers(gimp: Gimp, photos: Path) -> dict[tuple[str, str], Answer]:
    """What all procedures said, done in one GIMP."""
    jobs: dict[tuple[str, str], dict[str, Any]] = {}
    for kind in EVERY:
        image = {"file": str(photos / kind), "before": KINDS.get(kind, [])}
        arguments = {"apply": True, "background": True}
        deblur = {"procedure": "focuskit-deblur-regions", "arguments": arguments}
        jobs["restored", kind] = {**image, **deblur}
        for name, box in PARTS.items():
            before = [*image["before"], ["select", *box]]
            check = {"procedure": "focuskit-check-focus", "before": before}
            jobs[name, kind] = {**image, **check}
    jobs["found", "indexed.png"] = {
        "file": str(photos / "indexed.png"),
        "procedure": "focuskit-deblur-regions",
        "arguments": {"background": True},
    }
    return dict(zip(jobs, gimp.run(list(jobs.values())), strict=True))


@pytest.fixture(scope="module")
def given(photos: Path, answers: dict[tuple[str, str], Answer], gimp: Gimp) -> Path:
    """The same samples for the command line."""
    folder = gimp.base / "regions-given"
    save_given(photos, {kind: answers["restored", kind] for kind in EVERY}, folder)
    return folder


@pytest.fixture(scope="module")
def commands(given: Path, gimp: Gimp) -> Path:
    """What the command line makes of them."""
    command("deblur", given, gimp.base / "regions-made", "--apply", "--background")
    return gimp.base / "regions-made"


def regions_of(commands: Path, kind: str) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """Return the regions that the command line found, and the number of each pixel's."""
    stem = commands / f"{Path(kind).stem}-deblur-regions"
    said = json.loads(stem.with_suffix(".json").read_text("utf-8"))
    with Image.open(stem.with_suffix(".png")) as picture:
        return said["regions"], np.asarray(picture).astype(np.int64)


def shares(dump: dict[str, Any]) -> NDArray[np.float64]:
    """Return (H, W) of a mask or channel; babl's 1 of 32 bits is off by 1e-7."""
    return np.round(pixels(dump)[..., 0], 6)


def said_and_shares(channel: dict[str, Any]) -> tuple[int, tuple[float, NDArray[np.float64]]]:
    """Return the region's number that a channel's name tells, its blur, and the channel."""
    told = re.fullmatch(r"Deblur: Region (\d+), σ (\d+\.\d) px", channel["name"])
    assert told is not None, channel["name"]
    return int(told[1]), (float(told[2]), shares(channel))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_restored_equals_the_command_lines(
    answers: dict[tuple[str, str], Answer], commands: Path, kind: str
) -> None:
    answer = answers["restored", kind]
    assert answer.ok, answer.error

    (layer,) = answer.layers
    made, original = perceptual(layer), perceptual(answer["before"])
    expected = commands_values(commands, "deblur", kind)
    assert differences(made, expected).max() <= STEP

    mask = shares(layer["mask"])
    assert set(np.unique(mask)) == {0, 1}
    changed = differences(made, original)
    assert changed[mask == 1].max() > 10 / 255
    assert not changed[mask == 0].any()
    # What the command leaves as it was, the mask leaves out.
    assert differences(expected, original)[mask == 0].max() <= STEP


@pytest.mark.parametrize("kind", KINDS)
def test_the_photo_stays_and_what_was_restored_lies_above(
    answers: dict[tuple[str, str], Answer], kind: str
) -> None:
    answer = answers["restored", kind]
    (layer,) = answer.layers
    before, after = (Path(answer[name]["file"]).read_bytes() for name in ("before", "after"))
    assert before == after
    assert (layer["position"], answer["place"]) == (0, 1)
    assert (layer["name"], layer["offset"]) == ("Deblurred", [0, 0])
    assert layer["format"] == answer["before"]["format"]


@pytest.mark.parametrize("kind", EVERY)
def test_regions_are_channels_named_with_their_blur(
    answers: dict[tuple[str, str], Answer], commands: Path, kind: str
) -> None:
    answer = answers["found" if kind == "indexed.png" else "restored", kind]
    assert answer.ok, answer.error

    regions, labels = regions_of(commands, kind)
    assert regions
    assert len(answer.channels) == len(regions)
    channels = dict(said_and_shares(each) for each in answer.channels)
    for region in regions:
        sigma_px, inside = channels[region["label"]]
        assert sigma_px == pytest.approx(region["sigma_px"], abs=0.0506)
        assert np.array_equal(inside, labels == region["label"])


def test_an_indexed_image_is_searched_but_not_restored(
    answers: dict[tuple[str, str], Answer],
) -> None:
    assert not answers["found", "indexed.png"].layers

    refused = answers["restored", "indexed.png"]
    assert refused["status"] == "EXECUTION_ERROR"
    assert "RGB" in refused.error
    assert not refused.layers
    assert not refused.channels


@pytest.mark.parametrize("kind", EVERY)
def test_a_check_says_what_focuskit_says_of_the_file(
    answers: dict[tuple[str, str], Answer], given: Path, kind: str
) -> None:
    (file,) = given.glob(f"{Path(kind).stem}.*")
    photo = read_photo(file)
    blur_map = with_edges(encoded_gray(photo), DETECTORS.get(DEFAULT_DETECTOR)(photo))
    said = {}
    for name, (x, y, width, height) in PARTS.items():
        answer = answers[name, kind]
        assert answer.ok, answer.error
        facts = checked(photo, blur_map, (x, y, x + width, y + height))
        sigma, coc, probability, said[name], text = answer["values"]
        assert sigma == pytest.approx(facts["sigma_px"], abs=0.002)
        assert coc == pytest.approx(facts["coc_px"], abs=0.01)
        assert probability == pytest.approx(facts["in_focus_probability"], abs=0.002)
        assert (said[name], text) == (facts["verdict"], facts["text"])
        assert not answer.layers
        assert not answer.channels
        before, after = (Path(answer[each]["file"]).read_bytes() for each in ("before", "after"))
        assert before == after
    assert said["blurred"] != said["sharp"] == "sharp"
