"""What refocusing and magnification are worth, judged on photos that a camera took instead.

Every case is edited with the map that a detector finds in the photo alone, and with one made from
the truth: the difference is what the detector costs. An edit succeeds where PSNR and SSIM against
the true photo rise inside the part that it claims (changed, with a confidence of one half or more)
and PSNR falls by at most 0.1 dB outside it. How much it claims and gains is told along: claiming
nothing would never fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.blurmap import BlurMap
from focuskit.detect import DEFAULT_DETECTOR, open_detector
from focuskit.edit import OPERATIONS
from focuskit.edit.edited import Edited
from focuskit.errors import InputError
from focuskit.training.judging_cases import Case, as_seen
from focuskit.training.judging_measures import similarity
from focuskit.training.judging_pairs import pair_cases
from focuskit.training.judging_scenes import Part
from focuskit.training.judging_sweeps import sweep_cases

__all__ = ["MOST_LOSS_DB", "judge_case", "judge_refocus"]

Row = dict[str, Any]
Image = NDArray[np.float32]
Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

MOST_LOSS_DB = 0.1
"""What the rest of the picture may lose."""

_CLAIMED_FROM = 0.5
# Fewer pixels are no claim.
_LEAST_SHARE = 1e-3
_TRUTH = "truth"
# How many cases there are, known only once their photos are read.
_ABOUT = {Part.DEVELOPMENT: 53, Part.JUDGING: 38}


def judge_refocus(
    data: Path, part: Part, advance: Callable[[int, int, int], None] | None = None
) -> list[Row]:
    """Judge `refocus` on near/far pairs and focal sweeps, and `magnify` on sweeps.

    Args:
        data: folder with multifocus and focal-sweeps; one of them will do.
        part: of the scenes.
        advance: told how many cases are done, of about how many, and how many were refused.

    Returns:
        One row per case and kind of map; see `judge_case`.

    Raises:
        InputError: there is neither folder.
    """
    detect = open_detector(DEFAULT_DETECTOR)
    rows: list[Row] = []
    for done, (source, case) in enumerate(_cases(data, part), start=1):
        for map_name, blur_map in (
            (DEFAULT_DETECTOR, detect(case.before)),
            (_TRUTH, case.true_map),
        ):
            rows.append({"source": source, "map": map_name} | judge_case(case, blur_map))
        if advance is not None:
            refused = sum(row["refused"] is not None for row in rows)
            advance(done, max(done, _ABOUT[part]), refused)
    return rows


def _cases(data: Path, part: Part) -> Iterator[tuple[str, Case]]:
    folders = {"pairs": data / "multifocus", "sweeps": data / "focal-sweeps"}
    if not any(folder.is_dir() for folder in folders.values()):
        raise InputError(
            f"There is no true answer in {data}: expected a folder multifocus or focal-sweeps."
        )
    for source, folder in folders.items():
        if folder.is_dir():
            cases = pair_cases if source == "pairs" else sweep_cases
            for case in cases(folder, part):
                yield source, case


def judge_case(case: Case, blur_map: BlurMap) -> Row:
    """Edit one case and compare the result with the true answer.

    Args:
        case: what to do.
        blur_map: of the photo.

    Returns:
        A row: `refused` is the sentence where the operation refused, else None; `claimed_share` of
        the picture; inside that part `psnr_before`, `psnr_after`, `ssim_before`, `ssim_after`;
        outside it `outside_db`, how PSNR changed; `success`. `sharpened` and `blurred` tell the
        same of the claimed parts of either kind: share and gain in dB. None where nothing is
        claimed.
    """
    row: Row = {
        "case": case.name,
        "scene": case.scene,
        "held_out": case.held_out,
        "operation": case.operation,
        "refused": None,
        "success": False,
    }
    try:
        edited = OPERATIONS.get(case.operation)(case.before, blur_map, **case.settings)
    except InputError as exc:
        return row | {"refused": str(exc)} | _figures(case, None)
    return row | _figures(case, edited)


def _figures(case: Case, edited: Edited | None) -> Row:
    before, after = as_seen(case.before.rgb), as_seen(case.after)
    made = before if edited is None else as_seen(edited.photo.rgb)
    changed = (made != before).any(axis=2)
    confidence = np.ones_like(changed, np.float32)
    if edited is not None and edited.confidence is not None:
        confidence = edited.confidence
    claimed = changed & (confidence >= _CLAIMED_FROM) & case.judged
    rest = case.judged & ~claimed
    errors = [((each - after) ** 2).mean(axis=2) for each in (before, made)]
    similar = [similarity(each, after) for each in (before, made)]
    # Blurring lowers the energy of gradients, restoring raises it.
    risen = _detail(made) > _detail(before)
    figures: Row = {"claimed_share": _share(claimed, case.judged)}
    figures |= {
        f"psnr_{when}": _psnr(error, claimed)
        for when, error in zip(("before", "after"), errors, strict=True)
    }
    figures |= {
        f"ssim_{when}": _mean(values, claimed)
        for when, values in zip(("before", "after"), similar, strict=True)
    }
    figures["gain_db"] = _gain(errors, claimed)
    figures["outside_db"] = _gain(errors, rest)
    for name, where in (("sharpened", claimed & risen), ("blurred", claimed & ~risen)):
        figures[f"{name}_share"] = _share(where, case.judged)
        figures[f"{name}_db"] = _gain(errors, where)
    figures["success"] = _succeeds(figures)
    return figures


def _succeeds(figures: Row) -> bool:
    if figures["claimed_share"] < _LEAST_SHARE:
        return False
    better = figures["gain_db"] > 0 and figures["ssim_after"] > figures["ssim_before"]
    outside = figures["outside_db"]
    return bool(better and (outside is None or outside >= -MOST_LOSS_DB))


def _share(where: Mask, of: Mask) -> float:
    return float(where.sum() / max(1, of.sum()))


def _mean(values: NDArray[Any], where: Mask) -> float | None:
    return float(values[where].mean()) if where.any() else None


def _psnr(error: Map, where: Mask) -> float | None:
    mean = _mean(error, where)
    return None if mean is None else -10 * math.log10(max(mean, 1e-10))


def _gain(errors: list[Map], where: Mask) -> float | None:
    before, after = (_psnr(error, where) for error in errors)
    return None if before is None or after is None else after - before


def _window(values: Map) -> Map:
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), np.float32)


def _detail(picture: Image) -> Map:
    gray = picture.mean(axis=2)
    dx, dy = (cv2.Scharr(gray, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
    return _window(np.asarray(dx * dx + dy * dy, np.float32))
