"""Laws of detection that hold whatever the scene."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encode_srgb, linearise_srgb
from focuskit.detect import DETECTORS, is_ready
from tests.scenes import as_photo, blurred, make_scene

NAMES = [row.name for row in DETECTORS if is_ready(row.name)]
# Others only tell parts of a frame from each other; of noise, or blur alone, they promise nothing.
ABSOLUTE = [name for name in NAMES if not getattr(DETECTORS.get(name), "relative", False)]
seeds = st.integers(0, 2**16)
few = settings(max_examples=4)


def _trusted_coc(found: BlurMap) -> float:
    return float(np.average(found.coc_diameter_px, weights=found.confidence))


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
@few
def test_more_blur_is_less_in_focus_and_a_wider_coc(name: str, seed: int) -> None:
    scene = make_scene(200, 280, seed=seed)
    maps = [DETECTORS.get(name)(as_photo(blurred(scene, coc))) for coc in (0.0, 4.0, 8.0)]

    chances = [float(each.in_focus_probability.mean()) for each in maps]
    widths = [_trusted_coc(each) for each in maps]

    if name in ABSOLUTE:
        assert chances[0] > chances[1] + 0.1
        # Beyond a few pixels nothing is left that could be in focus, up to rounding.
        assert chances[1] > chances[2] - 1e-3
    assert widths == sorted(widths)
    assert widths[2] > widths[0] + 2


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds, turns=st.integers(0, 3), flip=st.booleans())
@few
def test_turns_and_flips_commute_with_detection(
    name: str, seed: int, turns: int, flip: bool
) -> None:
    scene = make_scene(200, 280, seed=seed)
    scene[:, 140:] = blurred(scene, 6.0)[:, 140:]

    def move(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        turned = np.rot90(picture, turns)
        return np.ascontiguousarray(turned[:, ::-1] if flip else turned)

    detector = DETECTORS.get(name)
    straight = detector(as_photo(scene)).in_focus_probability
    moved = detector(as_photo(move(scene))).in_focus_probability

    # A network has learned from upright photos and stands on a grid of 32 pixels; those of papers
    # know photos alone, and a rendered scene is strange to them whichever way it is turned.
    learned = hasattr(detector, "prepare")
    most = 0.03 if not learned else 0.15 if name in ABSOLUTE else 0.35
    assert np.abs(move(straight) - moved).mean() < most


@pytest.mark.parametrize("name", ABSOLUTE)
@given(seed=seeds, sigma=st.floats(0.002, 0.08))
@few
def test_noise_on_a_flat_field_is_not_called_sharp(name: str, seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    encoded = 0.5 + sigma * rng.standard_normal((200, 280, 1), np.float32)
    flat = np.repeat(linearise_srgb(np.clip(encoded, 0, 1)), 3, axis=2)

    found = DETECTORS.get(name)(as_photo(flat))

    claimed = found.in_focus_probability * found.confidence
    assert np.percentile(claimed, 98) < 0.2


@pytest.mark.parametrize("name", ABSOLUTE)
@given(seed=seeds, sigma=st.floats(0.01, 0.04))
@few
def test_noise_does_not_bring_a_missed_shot_into_focus(name: str, seed: int, sigma: float) -> None:
    rng = np.random.default_rng(seed)
    soft = encode_srgb(blurred(make_scene(200, 280, seed=seed), 10.0))
    noisy = soft + sigma * rng.standard_normal(soft.shape, np.float32)

    found = DETECTORS.get(name)(as_photo(linearise_srgb(np.clip(noisy, 0, 1))))

    assert np.percentile(found.in_focus_probability * found.confidence, 98) < 0.4


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds)
@few
def test_half_the_size_has_half_the_coc(name: str, seed: int) -> None:
    scene = blurred(make_scene(400, 560, seed=seed), 12.0)
    half = cv2.resize(scene, (280, 200), interpolation=cv2.INTER_AREA)

    whole, smaller = (_trusted_coc(DETECTORS.get(name)(as_photo(each))) for each in (scene, half))

    assert smaller == pytest.approx(whole / 2, rel=0.3)
