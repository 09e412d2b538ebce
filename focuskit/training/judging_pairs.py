"""Refocusing judged on near/far pairs: A moved to what is in focus in B must look like B."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.optics.psf import disc_psf
from focuskit.photo import Photo
from focuskit.training.example import Example
from focuskit.training.judging_cases import (
    Case,
    as_light,
    as_seen,
    densest,
    fitted_brightness,
    part_of,
)
from focuskit.training.judging_scenes import Part
from focuskit.training.pairs import gray_of, read_pairs

__all__ = ["RETOUCHED", "pair_cases"]

Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

RETOUCHED = ("aymaz_", "stand_08")
"""Pairs made from one sharp photo by blurring parts of it with a tool.

What differs there is a patch, and all around it both are equal pixel for pixel; no lens can do
that. They tell nothing about moving the plane of focus.
"""

_BORDER_PX = 12
# Of what is decided in both.
_LEAST_SHARE = 0.02
_COCS_PX = np.geomspace(1.5, 20, 14)
_UNDECIDED_CONFIDENCE = 0.05
# Pictures are compared blurred by this much, or the difference in focus would look like a shift.
_CALM_SIGMA_PX = 4.0
_ALIGNED_FROM = 1e-3
_ALIGN_STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-5)


def pair_cases(folder: Path, part: Part) -> Iterator[Case]:
    """Yield every pair of a part in both directions.

    Pairs that no lens took are left out, and photos to aim at that have hardly anything in focus.

    Args:
        folder: as `read_pairs` takes it.
        part: which scenes.

    Raises:
        InputError: `folder` holds no pairs.
    """
    examples = read_pairs(folder)
    seen: dict[str, int] = {}
    for first, second in zip(examples[::2], examples[1::2], strict=True):
        if part_of(first.scene) != part or first.scene.startswith(RETOUCHED):
            continue
        # Two pairs may show one scene.
        number = seen[first.scene] = seen.get(first.scene, 0) + 1
        name = first.scene if number == 1 else f"{first.scene} {number}"
        for before, after, way in ((first, second, "A to B"), (second, first, "B to A")):
            case = _case(before, after, f"{name} {way}")
            if case is not None:
                yield case


def _case(before: Example, after: Example, name: str) -> Case | None:
    target = (after.in_focus >= 0.5) & (after.weight >= 0.9)
    if target.mean() < _LEAST_SHARE:
        return None
    light = as_light(before.rgb)
    judged = _inside(np.maximum(before.weight, after.weight) > 0)
    truth, known = _aligned(as_light(after.rgb), gray_of(after.rgb), gray_of(before.rgb))
    judged &= known
    truth = fitted_brightness(truth, light, judged)
    return Case(
        name=name,
        scene=before.scene,
        operation="refocus",
        settings={"point": densest(target & judged)},
        before=Photo(light),
        after=truth,
        judged=judged,
        true_map=_true_map(before, light, truth, target),
    )


def _inside(decided: Mask) -> Mask:
    """Return what lies away from the border, which is wide where registration damaged it.

    Nothing is decided within that.
    """
    inside = np.zeros(decided.shape, np.bool_)
    rows, columns = (np.flatnonzero(decided.any(axis=axis)) for axis in (1, 0))
    top, left = (max(_BORDER_PX, int(each[0])) for each in (rows, columns))
    bottom = min(decided.shape[0] - _BORDER_PX, int(rows[-1]) + 1)
    right = min(decided.shape[1] - _BORDER_PX, int(columns[-1]) + 1)
    inside[top:bottom, left:right] = True
    return inside


def _aligned(light: Image, gray: Map, onto: Map) -> tuple[Image, Mask]:
    """Return a picture moved onto another where that helps, and where it is known then."""
    calm, goal = (cv2.GaussianBlur(each, (0, 0), _CALM_SIGMA_PX) for each in (gray, onto))
    everywhere = np.ones(gray.shape, np.bool_)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        found, warp = cv2.findTransformECC(goal, calm, start, cv2.MOTION_AFFINE, _ALIGN_STEPS)
    except cv2.error:
        return light, everywhere
    before = float(np.corrcoef(goal.ravel(), calm.ravel())[0, 1])
    if found < before + _ALIGNED_FROM:
        return light, everywhere
    size = (gray.shape[1], gray.shape[0])
    how = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(light, warp, size, flags=cv2.INTER_LANCZOS4 | how)
    known = cv2.warpAffine(everywhere.astype(np.uint8), warp, size, flags=cv2.INTER_NEAREST | how)
    known = cv2.erode(known, np.ones((9, 9), np.uint8))
    return np.maximum(np.asarray(moved, np.float32), np.float32(0)), known > 0


def _true_map(before: Example, light: Image, truth: Image, target: Mask) -> BlurMap:
    """Return the map that comparing both photos tells: where, and the one size of blur."""
    decided = before.weight >= 0.5
    nearest = cv2.distanceTransformWithLabels(
        (~decided).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    labels = np.zeros(int(nearest.max()) + 1, np.float32)
    labels[nearest[decided]] = before.in_focus[decided]
    in_focus = np.where(decided, before.in_focus, labels[nearest]).astype(np.float32)
    coc_px = np.float32(_blur_between(truth, light, target))
    confidence = np.where(decided, 1.0, _UNDECIDED_CONFIDENCE).astype(np.float32)
    return BlurMap(in_focus, coc_px * (1 - in_focus), confidence)


def _blur_between(sharp: Image, blurred: Image, where: Mask) -> float:
    """Return the circle of confusion that makes one picture look like another in a place."""
    goal = as_seen(blurred)[where]
    errors = []
    for coc_px in _COCS_PX:
        made = cv2.filter2D(sharp, -1, disc_psf(float(coc_px)), borderType=cv2.BORDER_REFLECT)
        errors.append(float(((as_seen(np.maximum(made, 0))[where] - goal) ** 2).mean()))
    return float(_COCS_PX[int(np.argmin(errors))])
