"""`focuskit evaluate`: how well a detector agrees with hand-drawn masks."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focuskit.cli._options import (
    Device,
    DeviceOption,
    Format,
    FormatOption,
    LeaveOutDoubtfulOption,
    OverwriteOption,
)
from focuskit.cli._output import output_folder, print_rows, progress_bar, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from focuskit.detect import Detector
    from focuskit.photo import Photo
    from focuskit.training.curves import Case
    from focuskit.training.datasets import MaskedDataset, MaskedPhoto
    from focuskit.training.metrics import PhotoScore, Scores

__all__ = ["Dataset", "evaluate"]

_NATIVE = "native"
_SMALLEST_SIZE = 16
_SCORES = "scores.json"
_DIGITS = 5
_BY_PHOTO = ("f_adaptive", "f_blur", "auc", "mae")


class Dataset(StrEnum):
    """Layouts of photos with masks."""

    CUHK = "cuhk"
    DUT = "dut"
    CTCUG = "ctcug"
    SZU_BD = "szu-bd"
    EBD = "ebd"


class Part(StrEnum):
    """What CUHK's training photos are split into: networks learned from `training` alone."""

    ALL = "all"
    VALIDATION = "validation"
    TRAINING = "training"


@dataclass(slots=True)
class _Results:
    """What was measured, photo by photo."""

    names: list[str] = field(default_factory=list)
    scores: list[PhotoScore] = field(default_factory=list)
    worst: list[Case] = field(default_factory=list)
    seconds: float = 0.0


def evaluate(
    detector: Annotated[str, typer.Argument(help="Detector; see `focuskit names`.")],
    dataset: Annotated[Dataset, typer.Argument(help="Layout of the folder.")],
    path: Annotated[Path, typer.Argument(help="Folder that holds those of photos and masks.")],
    size: Annotated[
        str, typer.Option(help="Squash photos to SIZE×SIZE pixels before detection, or 'native'.")
    ] = _NATIVE,
    part: Annotated[
        Part, typer.Option(help="Part of the photos; a network is judged on 'validation'.")
    ] = Part.ALL,
    leave_out_doubtful: LeaveOutDoubtfulOption = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only this many photos, drawn at random.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw and the bootstrap.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for curves, the ten worst photos and scores."),
    ] = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = Device.AUTO,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Score a detector against hand-drawn masks of what is in focus.

    Masks are cut at half of full scale, and which of their colours is in focus is told by the
    pixels. Maps are compared at the masks' size, without rescaling their values. F uses beta
    squared 0.3; f_max, f_adaptive and auc take the in-focus class as positive, f_blur and iou_blur
    the blurred one at 0.5. Low and high bound the 95 % bootstrap interval over photos.

    With --output: precision-recall.png, f-curve.png, reliability.png, worst.png and scores.json.
    """
    from focuskit.detect import open_detector
    from focuskit.training.datasets import find_dataset
    from focuskit.training.metrics import summarise

    pixels = _pixels(size)
    judged = open_detector(detector)
    if output is not None:
        _check_output(output, path, overwrite=overwrite)
    found = find_dataset(dataset.value, path)
    for remark in found.remarks:
        say(remark)
    left_out = found.doubtful if leave_out_doubtful else ()
    items = _chosen(found, part, limit, seed, left_out)
    results = _judge_all(judged, found, items, pixels, keep_worst=output is not None)
    scores = summarise(results.scores, seed=seed)
    title = _title(detector, dataset, part, size, scores.photos)
    say(
        f"{title}; {scores.empty_class} that hold one class only count for mae, iou_blur and ece "
        "alone."
    )
    settings = {
        "detector": detector,
        "dataset": dataset.value,
        "part": part.value,
        "size": size,
        "leave_out_doubtful": leave_out_doubtful,
    }
    record = {
        **settings,
        "seed": seed,
        "ms_per_photo": 1000 * results.seconds / len(items),
        **_plain(asdict(scores)),
    }
    if output is not None:
        _write_output(output, results, scores, record, title, overwrite=overwrite)
    print_rows([record], _rows(record), ("score", "value", "low", "high"), output_format)


def _pixels(size: str) -> int | None:
    if size == _NATIVE:
        return None
    if not (size.isascii() and size.isdigit() and int(size) >= _SMALLEST_SIZE):
        raise typer.BadParameter(
            f"must be '{_NATIVE}' or pixels, at least {_SMALLEST_SIZE}, got {size!r}.",
            param_hint="--size",
        )
    return int(size)


def _check_output(output: Path, path: Path, *, overwrite: bool) -> None:
    """Say before the work what would stop the results from being written."""
    from focuskit.errors import OutputExistsError
    from focuskit.training.curves import PICTURES, need_matplotlib

    need_matplotlib()
    folder = output_folder(output, [path])
    there = [name for name in (*PICTURES, _SCORES) if (folder / name).exists()]
    if there and not overwrite:
        raise OutputExistsError(
            f"{folder} holds {', '.join(there)} already; add --overwrite to replace them, or "
            "choose another --output."
        )


def _chosen(
    found: MaskedDataset, part: Part, limit: int | None, seed: int, left_out: Sequence[str]
) -> tuple[MaskedPhoto, ...]:
    from focuskit.errors import InputError
    from focuskit.training.datasets import VALIDATION_OF, split, validation_split

    items = found.items
    if part is not Part.ALL:
        if len(items) != VALIDATION_OF:
            say(
                f"The parts are those of CUHK's {VALIDATION_OF} training photos, and these are "
                f"{len(items)}: networks may have learned from any of them."
            )
        validation, training = validation_split(items)
        items = validation if part is Part.VALIDATION else training
    gone = [item.name for item in items if item.name in left_out]
    if gone:
        say(f"Left out, because their masks look inverted: {', '.join(gone)}.")
    items = tuple(item for item in items if item.name not in gone)
    if not items:
        raise InputError(f"There is no photo in the {part.value} part; choose another --part.")
    count = min(limit or len(items), len(items))
    return split(items, share=count / len(items), seed=seed)[0]


def _judge_all(
    detect: Detector,
    found: MaskedDataset,
    items: Sequence[MaskedPhoto],
    pixels: int | None,
    *,
    keep_worst: bool,
) -> _Results:
    from focuskit.training.curves import make_case, worst_cases
    from focuskit.training.metrics import score_photo

    results = _Results()
    with progress_bar("Evaluating") as advance:
        for item in items:
            photo, mask = found.read(item)
            probability, spent = _map(detect, photo, mask, pixels)
            score = score_photo(probability, mask)
            results.names.append(item.name)
            results.scores.append(score)
            results.seconds += spent
            if keep_worst:
                case = make_case(item.name, score, photo.rgb, mask, probability)
                results.worst = worst_cases([*results.worst, case])
            if advance is not None:
                advance(len(results.scores), len(items), 0)
    return results


def _map(
    detect: Detector, photo: Photo, mask: NDArray[np.bool_], pixels: int | None
) -> tuple[NDArray[np.float32], float]:
    """Return the map of one photo at its mask's size, and the seconds that detection took."""
    import cv2
    import numpy as np

    if pixels is not None:
        squashed = cv2.resize(photo.rgb, (pixels, pixels), interpolation=cv2.INTER_AREA)
        photo = photo.with_rgb(np.asarray(squashed, np.float32))
    start = time.perf_counter()
    probability = detect(photo).in_focus_probability
    spent = time.perf_counter() - start
    if probability.shape != mask.shape:
        # Not BlurMap.resized: the protocol asks for bilinear interpolation in both directions.
        size = (mask.shape[1], mask.shape[0])
        resized = cv2.resize(probability, size, interpolation=cv2.INTER_LINEAR)
        # Weights of float32 may add up to a shade more than 1.
        probability = np.clip(np.asarray(resized, np.float32), 0, 1)
    return probability, spent


def _title(detector: str, dataset: Dataset, part: Part, size: str, photos: int) -> str:
    which = "" if part is Part.ALL else f" ({part.value} part)"
    how = "native size" if size == _NATIVE else f"squashed to {size}×{size}"
    return f"{detector} on {photos} photos of {dataset.value}{which}, {how}"


def _rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    estimates = {name: value for name, value in record.items() if isinstance(value, dict)}
    return [{"score": name, **value} for name, value in estimates.items()]


def _write_output(
    folder: Path,
    results: _Results,
    scores: Scores,
    record: dict[str, Any],
    title: str,
    *,
    overwrite: bool,
) -> None:
    import focuskit
    from focuskit.batch.tables import to_json
    from focuskit.io import write_atomically
    from focuskit.training.curves import draw_pictures
    from focuskit.training.metrics import mean_curves

    curves = mean_curves(results.scores)
    content = draw_pictures(curves, scores, results.worst, title)
    photos = [
        {"name": name} | {each: getattr(score, each) for each in _BY_PHOTO}
        for name, score in zip(results.names, results.scores, strict=True)
    ]
    whole = {
        **record,
        "version": focuskit.__version__,
        "curves": _plain(asdict(curves)),
        "by_photo": _plain(photos),
    }
    content[_SCORES] = (to_json(whole, indent=2) + "\n").encode()
    for name, data in content.items():
        write_atomically(folder / name, partial(_parts, data), overwrite=overwrite)
    say(f"Wrote {', '.join(content)} to {folder}.")


def _parts(data: bytes) -> list[bytes]:
    return [data]


def _plain(value: Any) -> Any:
    """Return what JSON can hold: lists for arrays, nothing for what is not a number."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):
        return [_plain(round(each, _DIGITS)) for each in value.tolist()]
    return None if isinstance(value, float) and not math.isfinite(value) else value
