from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from focuskit.blurmap import NOTHING_IN_FOCUS_SHARE, BlurMap
from focuskit.color import encode_srgb
from focuskit.errors import InputError, RangeError, ShapeError
from focuskit.photo import Photo
from focuskit.training.example import Example
from focuskit.training.papers import find_masks, papers_to_textures, read_paper
from focuskit.training.timing import time_maps
from focuskit.training.trials import (
    BASELINES,
    FALSE_SHARE,
    LONG_EDGE,
    CocTrial,
    MisfocusTrial,
    allowed_calls,
    fitted,
    misfocused,
    own_coc_px,
    threshold_at,
)
from tests.scenes import as_photo, blurred, make_scene


def _map(shape: tuple[int, int], *, share: float = 0.0) -> BlurMap:
    """A map with so much of the frame in focus, CoC 0, and confidence 1."""
    probability = np.zeros(shape, np.float32)
    probability.ravel()[: round(share * probability.size)] = 1
    return BlurMap(probability, np.zeros(shape, np.float32), np.ones(shape, np.float32))


def _shrunk(light: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    size = (light.shape[1] // factor, light.shape[0] // factor)
    return cv2.resize(light, size, interpolation=cv2.INTER_AREA)


# What is drawn


def test_large_photos_are_shrunk_and_small_ones_left_alone() -> None:
    large = np.zeros((40, 2 * LONG_EDGE, 3), np.float32)
    large[:, ::2] = 1
    small = make_scene(60, 80, seed=1)

    assert fitted(as_photo(large)).shape == (20, LONG_EDGE, 3)
    # In linear light: black and white of equal area are half of white.
    assert fitted(as_photo(large)) == pytest.approx(0.5)
    assert (fitted(as_photo(small)) == small).all()


def test_light_of_other_primaries_becomes_srgb() -> None:
    light = np.ones((2, 3, 3), np.float32)
    light[0, 0] = (0.0, 1.0, 0.0)

    converted = fitted(Photo(light, primaries="rec2020"))

    assert converted[1] == pytest.approx(1.0, abs=1e-3)
    # A green that sRGB cannot show: brighter than its own, without negative light.
    assert converted[0, 0, 1] > 1
    assert converted.min() == 0


@pytest.mark.parametrize("coc_px", [12, 25.0])
def test_the_same_blur_is_the_same_picture_at_any_size(coc_px: float) -> None:
    light = make_scene(200, LONG_EDGE, seed=3)

    blurred_first = _shrunk(misfocused(light, coc_px), 2)
    shrunk_first = misfocused(_shrunk(light, 2), coc_px)

    assert own_coc_px(coc_px, (100, LONG_EDGE // 2)) == coc_px / 2
    difference = np.abs(blurred_first - shrunk_first)[20:-20, 20:-20].mean()
    contrast = np.abs(_shrunk(light, 2) - shrunk_first)[20:-20, 20:-20].mean()
    assert difference < 0.15 * contrast


def test_a_photo_too_small_for_the_blur_is_refused() -> None:
    light = make_scene(60, 200, seed=1)
    trial = MisfocusTrial({}, [6, 24])

    with pytest.raises(
        InputError, match=r"200 px long.*6 px at 1600 px is 0\.8 px.*347 px or more"
    ):
        trial.add("small", as_photo(light))
    with pytest.raises(InputError, match="No photo could be used"):
        trial.rows()
    assert own_coc_px(6, (100, 347)) > 1.3
    with pytest.raises(InputError):
        own_coc_px(6, (100, 346))


# Misfocused frames


@pytest.mark.parametrize(("photos", "allowed"), [(1, 0), (49, 0), (50, 1), (149, 2), (150, 3)])
def test_2_percent_are_counted_exactly(photos: int, allowed: int) -> None:
    assert allowed_calls(photos) == allowed
    with pytest.raises(InputError):
        threshold_at([])


@given(st.lists(st.floats(0, 1e6) | st.sampled_from([1.0, 2.0]), min_size=1, max_size=300))
def test_a_threshold_calls_at_most_2_percent_of_the_sharp(scores: list[float]) -> None:
    threshold = threshold_at(scores)

    called = sum(score < threshold for score in scores)
    assert called <= FALSE_SHARE * len(scores)
    # And it is the largest that does.
    higher = [score for score in scores if score > threshold]
    if higher:
        assert sum(score < min(higher) for score in scores) > FALSE_SHARE * len(scores)


def test_baselines_tell_blurred_copies_of_one_photo() -> None:
    trial = MisfocusTrial({}, [48, 24, 24])
    trial.add("one", as_photo(make_scene(240, 320, seed=1)))

    rows = trial.rows()

    assert [(row.method, row.coc_px) for row in rows] == [
        (name, coc_px) for name in BASELINES for coc_px in (24, 48)
    ]
    for row in rows:
        assert (row.misfocused_called, row.sharp_called, row.photos) == (1, 0, 1)
    assert trial.least_coc_px == pytest.approx(24 * 320 / LONG_EDGE)


def test_a_map_with_too_little_in_focus_calls_the_frame() -> None:
    shares = {
        "none": 0.0,
        "just": NOTHING_IN_FOCUS_SHARE,
        "less": NOTHING_IN_FOCUS_SHARE - 0.002,
    }
    detectors = {
        name: lambda photo, share=share: _map((photo.height, photo.width), share=share)
        for name, share in shares.items()
    }
    trial = MisfocusTrial(detectors, [24])
    trial.add("one", as_photo(make_scene(200, 300, seed=1)))

    called = {row.method: (row.misfocused_called, row.sharp_called) for row in trial.rows()}

    assert called["none"] == called["less"] == (1, 1)
    assert called["just"] == (0, 0)


def test_frames_depend_on_seed_and_name_and_on_nothing_else() -> None:
    first, second = (as_photo(make_scene(100, 140, seed=seed)) for seed in (1, 2))

    def frames(
        *photos: tuple[str, Photo], seed: int = 0, camera: float = 0.5
    ) -> list[NDArray[np.float32]]:
        seen: list[NDArray[np.float32]] = []

        def look(photo: Photo) -> BlurMap:
            seen.append(photo.rgb)
            return _map((photo.height, photo.width))

        trial = MisfocusTrial({"look": look}, [24], seed=seed, camera=camera)
        for name, photo in photos:
            trial.add(name, photo)
        return seen

    alone = frames(("b", second))
    assert len(alone) == 2
    assert all(map(np.array_equal, alone, frames(("a", first), ("b", second))[2:]))
    assert not any(map(np.array_equal, alone, frames(("b", second), seed=1)))
    assert not any(map(np.array_equal, alone, frames(("c", second))))
    # A frame that no camera has touched is what the photo was.
    untouched = frames(("b", second), seed=1, camera=0.0)
    assert all(map(np.array_equal, untouched, frames(("c", second), camera=0.0)))
    assert np.abs(untouched[0] - second.rgb).max() < 0.01


@pytest.mark.parametrize("cocs_px", [[], [0.5], [float("nan")], [6, float("inf")]])
def test_circles_that_make_no_sense_are_refused(cocs_px: list[float]) -> None:
    with pytest.raises(RangeError):
        MisfocusTrial({}, cocs_px)


@pytest.mark.parametrize("camera", [-0.1, 1.1, float("nan")])
def test_there_is_no_more_camera_than_all_of_it(camera: float) -> None:
    with pytest.raises(RangeError, match="camera"):
        MisfocusTrial({}, [6], camera=camera)


# Circles of confusion


@pytest.fixture
def example() -> Example:
    """Each octave has a row, the borders between them count upwards; a row is not known."""
    coc = np.array([[2, 3], [4, 5], [8, 15], [16, 20], [np.nan, np.nan], [1.9, 21]], np.float32)
    coc = np.repeat(coc, 2, axis=1)
    rgb = np.full((*coc.shape, 3), 100, np.uint8)
    return Example(rgb, np.zeros_like(coc), np.ones_like(coc), coc, "scene", "x")


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.25])
def test_errors_are_relative_to_the_truth(example: Example, factor: float) -> None:
    found = np.nan_to_num(example.coc_diameter_px * np.float32(factor), nan=7)

    def detect(photo: Photo) -> BlurMap:
        assert (photo.height, photo.width) == found.shape
        return BlurMap(np.zeros_like(found), found, np.ones_like(found))

    trial = CocTrial({"truth": detect})
    trial.add(example)
    trial.add(example)

    rows = trial.rows()
    assert [row.coc_px for row in rows] == ["2-4", "4-8", "8-16", "16-20", "2-20"]
    assert [row.pixels for row in rows] == [8, 8, 8, 8, 32]
    for row in rows:
        assert (row.q1, row.median, row.q3) == pytest.approx([abs(factor - 1)] * 3)
        assert row.confident_median == row.median
        assert row.confident_share == 1


def test_pixels_without_confidence_count_apart(example: Example) -> None:
    confidence = np.zeros_like(example.in_focus)
    confidence[:, 0] = 0.5
    found = np.nan_to_num(example.coc_diameter_px)
    found[:, 1:] = 0
    trial = CocTrial({"half": lambda photo: BlurMap(confidence, found, confidence)})
    trial.add(example)

    for row in trial.rows():
        assert row.median == 1
        assert (row.confident_median, row.confident_share) == (0, 0.25)


def test_no_pixels_give_no_figures() -> None:
    (*_, overall) = CocTrial({"x": lambda photo: _map((photo.height, photo.width))}).rows()

    assert overall.pixels == 0
    assert (overall.median, overall.confident_median, overall.confident_share) == (None,) * 3


# Photos with masks as textures


@pytest.fixture
def masked(tmp_path: Path) -> Callable[..., Path]:
    """Write three photos that are sharp on the left, and their masks; gives the folder."""

    def write(name: str, *, sharp: int, blurry: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        mask = np.full((300, 480), blurry, np.uint8)
        mask[:, :280] = sharp
        for seed in range(3):
            scene = make_scene(300, 480, seed=seed)
            scene[:, 280:] = blurred(scene, 9)[:, 280:]
            pixels = (encode_srgb(scene) * 255).round().astype(np.uint8)
            cv2.imwrite(str(folder / f"{seed}.png"), pixels[..., ::-1])
            (folder / "masks").mkdir(exist_ok=True)
            cv2.imwrite(str(folder / "masks" / f"{seed}.png"), mask)
        return folder

    return write


def _textures(folder: Path) -> list[NDArray[np.uint8]]:
    masks = find_masks(folder / "masks")
    papers = [read_paper(path, masks) for path in sorted(folder.glob("*.png"))]
    return papers_to_textures(papers, np.random.default_rng(5))


def test_the_pixels_tell_which_colour_is_in_focus(masked: Callable[..., Path]) -> None:
    white = _textures(masked("white", sharp=255, blurry=0))
    black = _textures(masked("black", sharp=0, blurry=255))

    assert white
    assert len(white) == len(black)
    assert all(map(np.array_equal, white, black))


def test_masks_of_one_colour_are_refused(masked: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="do not tell which colour is in focus"):
        _textures(masked("plain", sharp=255, blurry=255))


def test_masks_that_are_missing_or_of_another_shape_are_named(
    masked: Callable[..., Path], tmp_path: Path
) -> None:
    folder = masked("some", sharp=255, blurry=0)
    cv2.imwrite(str(folder / "masks" / "1.png"), np.zeros((300, 100), np.uint8))
    masks = find_masks(folder / "masks")
    del masks["0"]

    with pytest.raises(InputError, match="no mask of the same name"):
        read_paper(folder / "0.png", masks)
    with pytest.raises(ShapeError, match="100×300"):
        read_paper(folder / "1.png", masks)
    with pytest.raises(InputError, match="not a folder"):
        find_masks(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="There is no mask in"):
        find_masks(tmp_path / "empty")


def test_photos_without_anything_crisp_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gray.png"
    cv2.imwrite(str(path), np.full((200, 300, 3), 128, np.uint8))

    with pytest.raises(InputError, match="No crisp piece"):
        papers_to_textures([read_paper(path)], np.random.default_rng(0))


# Times


@pytest.fixture
def jpeg() -> bytes:
    return cv2.imencode(".jpg", np.full((90, 120, 3), 77, np.uint8))[1].tobytes()


@pytest.fixture(autouse=True)
def _threads_are_given_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = cv2.getNumThreads()
    yield
    assert cv2.getNumThreads() == before
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_maps_take_turns_with_decoding_on_one_thread(jpeg: bytes) -> None:
    calls: list[str] = []

    def detector(name: str) -> Callable[[Photo], BlurMap]:
        def detect(photo: Photo) -> BlurMap:
            assert (photo.height, photo.width) == (24, 24)
            assert (cv2.getNumThreads(), os.environ["OMP_NUM_THREADS"]) == (1, "1")
            calls.append(name)
            return _map((24, 24))

        return detect

    told: list[tuple[int, ...]] = []
    rows = time_maps(
        {name: detector(name) for name in ("a", "b")},
        jpeg,
        size=24,
        repeats=3,
        advance=lambda *numbers: told.append(numbers),
    )

    assert calls == ["a", "b"] * 4
    assert told == [(turn, 4, 0) for turn in (1, 2, 3, 4)]
    assert [row.what for row in rows] == ["cv2.imdecode", "map by a", "map by b"]
    assert (rows[0].ratio_of_minima, rows[0].ratio_of_medians) == (1, 1)
    for row in rows:
        assert 0 < row.minimum_ms <= row.median_ms
        assert row.ratio_of_minima == pytest.approx(row.minimum_ms / rows[0].minimum_ms)
        assert row.ratio_of_medians == pytest.approx(row.median_ms / rows[0].median_ms)


def test_what_cannot_be_timed_is_refused(jpeg: bytes) -> None:
    with pytest.raises(InputError, match="cannot decode"):
        time_maps({}, jpeg[:20], size=24, repeats=1)
    with pytest.raises(RangeError):
        time_maps({}, jpeg, size=0, repeats=1)
    with pytest.raises(RangeError):
        time_maps({}, jpeg, size=24, repeats=0)
