"""Our detectors against the plain textbook version, on the same real photos.

`python -m tests.bench.test_detectors_against_naive` prints the table for all 604 photos, with
`held-out` for the 223 that no calibration of constants used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.detect import DETECTORS, is_ready
from focuskit.photo import Photo
from focuskit.training.datasets import MaskedPhoto, find_dataset, split
from focuskit.training.metrics import Scores, score_photo, summarise

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "cuhk-dbd"
# The published systems stand as their papers have them; `focuskit bench systems` judges them.
NAMES = [
    row.name
    for row in DETECTORS
    if is_ready(row.name) and not getattr(DETECTORS.get(row.name), "relative", False)
]
AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def naive_lbp(photo: Photo) -> BlurMap:
    """Share of LBP codes 6 to 9 at three scales, mean, stretched from 0 to 1 in each photo."""
    gray = encoded_gray(photo)
    padded = np.pad(gray, 1, mode="edge")
    height, width = gray.shape
    bits = np.stack(
        [padded[1 + y : 1 + y + height, 1 + x : 1 + x + width] - gray > 0.016 for y, x in AROUND]
    )
    changes = (bits != np.roll(bits, 1, axis=0)).sum(axis=0)
    sharp = ((changes > 2) | (bits.sum(axis=0) >= 6)).astype(np.float32)
    mean = sum(cv2.blur(sharp, (side, side)) for side in (11, 15, 21)) / 3
    stretched = (mean - mean.min()) / max(float(mean.max() - mean.min()), 1e-6)
    probability = np.clip(stretched, 0, 1).astype(np.float32)
    return BlurMap(probability, np.zeros_like(probability), np.ones_like(probability))


def squashed(photo: Photo, mask: NDArray[np.bool_], size: int | None) -> Photo:
    if size is None:
        return photo
    return Photo(cv2.resize(photo.rgb, (size, size), interpolation=cv2.INTER_AREA))


def held_out() -> list[MaskedPhoto]:
    """Photos of the half that calibration left alone, less the quarter of a later one."""
    everything = find_dataset("cuhk", FOLDER).items
    later, _ = split(everything, share=0.25, seed=1)
    _, left_alone = split(everything, share=0.5, seed=0)
    return [item for item in left_alone if item not in set(later)]


def scores(
    detectors: dict[str, Callable[[Photo], BlurMap]],
    size: int | None,
    items: Sequence[MaskedPhoto],
) -> dict[str, Scores]:
    found = find_dataset("cuhk", FOLDER)
    results: dict[str, list[object]] = {name: [] for name in detectors}
    for item in items:
        photo, mask = found.read(item)
        small = squashed(photo, mask, size)
        for name, detect in detectors.items():
            probability = detect(small).in_focus_probability
            full = cv2.resize(probability, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
            results[name].append(score_photo(np.clip(full, 0, 1), mask))
    return {name: summarise(each, seed=0) for name, each in results.items()}


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="no real photos beside the checkout")
@pytest.mark.parametrize("size", [320, None])
def test_our_own_beat_the_textbook(size: int | None) -> None:
    items, _ = split(find_dataset("cuhk", FOLDER).items, share=0.25, seed=20)
    table = scores(
        {name: DETECTORS.get(name) for name in NAMES} | {"naive": naive_lbp}, size, items
    )

    naive = table.pop("naive")
    for name, ours in table.items():
        assert ours.f_max.value > naive.f_max.value, name
        assert ours.auc.value > naive.auc.value, name
        assert ours.mae.value < naive.mae.value, name


if __name__ == "__main__":
    chosen = held_out() if "held-out" in sys.argv else find_dataset("cuhk", FOLDER).items
    for pixels in (320, None):
        every = {name: DETECTORS.get(name) for name in NAMES} | {"naive": naive_lbp}
        for name, each in scores(every, pixels, chosen).items():
            sys.stdout.write(
                f"{name:8s} {pixels or 'native'!s:7s} F_max {each.f_max.value:.3f} "
                f"F_ada {each.f_adaptive.value:.3f} "
                f"F_B {each.f_blur.value:.3f} AUC {each.auc.value:.3f} MAE {each.mae.value:.3f}\n"
            )
