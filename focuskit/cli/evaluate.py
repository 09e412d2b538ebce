"""`focuskit evaluate`: how well a detector agrees with hand-drawn masks."""

from __future__ import annotations

import time
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, progress_bar, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from focuskit.detect import Detector
    from focuskit.photo import Photo
    from focuskit.training.metrics import PhotoScore, Scores

__all__ = ["evaluate"]

_NATIVE = "native"
_SMALLEST_SIZE = 16


class Dataset(StrEnum):
    """Layouts of photos with masks."""

    CUHK = "cuhk"


def evaluate(
    detector: Annotated[str, typer.Argument(help="Detector; see `focuskit names`.")],
    dataset: Annotated[Dataset, typer.Argument(help="Layout of the folder.")],
    path: Annotated[Path, typer.Argument(help="Folder that holds photos/ and masks/.")],
    size: Annotated[
        str, typer.Option(help="Squash photos to SIZE×SIZE pixels before detection, or 'native'.")
    ] = _NATIVE,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only this many photos, drawn at random.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw and the bootstrap.")] = 0,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Score a detector against hand-drawn masks of what is in focus.

    Maps are compared at the masks' size, without rescaling their values. F uses beta squared 0.3;
    f_max, f_adaptive and auc take the in-focus class as positive, f_blur and iou_blur the blurred
    one at 0.5. Low and high bound the 95 % bootstrap interval over photos.
    """
    from focuskit.detect import DETECTORS
    from focuskit.training.datasets import find_cuhk, split
    from focuskit.training.metrics import summarise

    pixels = _pixels(size)
    judged = DETECTORS.get(detector)
    found = find_cuhk(path)
    count = min(limit or len(found), len(found))
    items, _ = split(found.items, share=count / len(found), seed=seed)
    results: list[PhotoScore] = []
    seconds = 0.0
    with progress_bar("Evaluating") as advance:
        for item in items:
            photo, mask = found.read(item)
            score, spent = _judge(judged, photo, mask, pixels)
            results.append(score)
            seconds += spent
            if advance is not None:
                advance(len(results), len(items), 0)
    scores = summarise(results, seed=seed)
    say(
        f"{detector} on {scores.photos} photos of {dataset.value}, size {size}; "
        f"{scores.empty_class} that hold one class only count for mae and iou_blur alone."
    )
    rows = _rows(scores)
    record = {
        "detector": detector,
        "dataset": dataset.value,
        "size": size,
        "seed": seed,
        "ms_per_photo": 1000 * seconds / len(items),
        **asdict(scores),
    }
    print_rows([record], rows, ("score", "value", "low", "high"), output_format)


def _pixels(size: str) -> int | None:
    if size == _NATIVE:
        return None
    if not (size.isascii() and size.isdigit() and int(size) >= _SMALLEST_SIZE):
        raise typer.BadParameter(
            f"must be '{_NATIVE}' or pixels, at least {_SMALLEST_SIZE}, got {size!r}.",
            param_hint="--size",
        )
    return int(size)


def _judge(
    detect: Detector, photo: Photo, mask: NDArray[np.bool_], pixels: int | None
) -> tuple[PhotoScore, float]:
    """Return the score of one photo and the seconds that detection took."""
    import cv2
    import numpy as np

    from focuskit.training.metrics import score_photo

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
        probability = np.asarray(resized, np.float32)
    return score_photo(probability, mask), spent


def _rows(scores: Scores) -> list[dict[str, Any]]:
    estimates = {name: value for name, value in asdict(scores).items() if isinstance(value, dict)}
    return [{"score": name, **value} for name, value in estimates.items()]
