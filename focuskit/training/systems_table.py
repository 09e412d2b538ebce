"""The published systems beside the detectors of focuskit: one protocol, one table.

Every photo is squashed to 320×320, as the papers do, its map enlarged to the mask and compared
without rescaling values. What the papers report was measured otherwise, mostly on other photos;
it is listed apart.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from focuskit.detect import DETECTORS, Detector
from focuskit.detect.runtime import RUNTIME_VARIABLE, open_network
from focuskit.detect.weights import Weights, chosen_weights
from focuskit.photo import Photo
from focuskit.training.datasets import MaskedDataset, MaskedPhoto
from focuskit.training.metrics import PhotoScore, Scores, score_photo, summarise

__all__ = ["PAPERS", "SIDE", "PaperFigure", "System", "judge_systems", "squashed"]
__all__ += ["systems_markdown", "time_system", "use_threads"]

SIDE = 320
"""Sides of the squashed photos in pixels."""

Map = NDArray[np.float32]
Advance = Callable[[int, int, int], None]


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """What a paper reports of its system.

    Attributes:
        system: name in DETECTORS.
        photos: what it was measured on.
        f, mae, auc: as printed; None where not given or out of reach.
        protocol: how, as far as it is known.
    """

    system: str
    photos: str
    f: float | None
    mae: float | None
    auc: float | None
    protocol: str


_BINARY = "in-focus class; maps made binary before F and MAE"
_UNSAID = "not defined in the paper; its AUC is no area under a ROC curve"
_PLOT = "in-focus class, maximum of the mean F; read off a plot, ±.005"
_SG = "of SG, its ancestor: in-focus class, threshold 1.5 × mean of each map"

PAPERS = (
    PaperFigure("r-dbd", "CUHK, 100 random", 0.944, 0.053, None, _BINARY),
    PaperFigure("r-dbd", "DUT", 0.828, 0.115, None, _BINARY),
    PaperFigure("defusionnet", "CUHK, last 100", 0.925, 0.102, 0.844, _UNSAID),
    PaperFigure("defusionnet", "DUT", 0.952, 0.082, 0.643, _UNSAID),
    PaperFigure("defusionnet", "CTCUG", 0.899, 0.127, 0.705, _UNSAID),
    PaperFigure("distill-dbdgan-teacher", "CUHK", 0.936, None, None, _PLOT),
    PaperFigure("distill-dbdgan-teacher", "DUT", 0.910, None, None, _PLOT),
    PaperFigure("distill-dbdgan-student", "CUHK", 0.929, None, None, _PLOT),
    PaperFigure("distill-dbdgan-student", "DUT", 0.903, None, None, _PLOT),
    PaperFigure("m2cs", "CUHK", 0.769, 0.119, None, _SG),
    PaperFigure("m2cs", "DUT", 0.701, 0.172, None, _SG),
    PaperFigure("local-metric", "CUHK", None, None, None, "its figures were out of reach"),
    PaperFigure(
        "lbp",
        "CUHK, 100 random",
        0.917,
        0.154,
        None,
        "of the published LBP, by D-DFFNet: blurred class at 0.5, mean of each photo's F",
    ),
)
"""What the papers report; no two of these protocols are the same, and none is the table's."""


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table.

    Attributes:
        name: in DETECTORS.
        configuration: "small" or "full" as trained; None where there is no such choice.
        parameters: learned numbers; None without a network.
        scores: on the held-back photos.
        map_ms: a whole map of 320×320 pixels as shipped, the fastest of several.
        torch_ms: the network alone; None without one.
        onnx_ms: the same by onnxruntime; None where there is no such form.
    """

    name: str
    configuration: str | None
    parameters: int | None
    scores: Scores
    map_ms: float
    torch_ms: float | None
    onnx_ms: float | None

    def as_record(self) -> dict[str, str | int | float | None]:
        """Return the row as plain values."""
        scores = self.scores
        figures = {
            "f_max": scores.f_max,
            "f_adaptive": scores.f_adaptive,
            "f_blur": scores.f_blur,
            "mae": scores.mae,
            "auc": scores.auc,
        }
        return {
            "system": self.name,
            "size": self.configuration,
            **{name: round(each.value, 4) for name, each in figures.items()},
            "parameters": self.parameters,
            "map_ms": self.map_ms,
            "torch_ms": self.torch_ms,
            "onnx_ms": self.onnx_ms,
        }


def use_threads(count: int) -> None:
    """Let OpenCV and networks use so many threads; before any network is opened."""
    os.environ["OMP_NUM_THREADS"] = str(count)
    cv2.setNumThreads(count)
    torch.set_num_threads(count)


def judge_systems(
    names: Sequence[str],
    dataset: MaskedDataset,
    items: Sequence[MaskedPhoto],
    advance: Advance | None = None,
) -> dict[str, Scores]:
    """Return the scores of detectors on photos with masks.

    Args:
        names: of DETECTORS.
        dataset: what the photos are of.
        items: those to judge on, not learned from by any.
        advance: told after each photo: done, all, failed.

    Raises:
        WeightsError, DeviceError: a network cannot be run.
        InputError: a photo or mask cannot be read.
    """
    scores: dict[str, list[PhotoScore]] = {name: [] for name in names}
    for done, item in enumerate(items, 1):
        photo, mask = dataset.read(item)
        small = squashed(photo)
        for name in names:
            scores[name].append(score_photo(_map(DETECTORS.get(name), small, mask.shape), mask))
        if advance is not None:
            advance(done, len(items), 0)
    return {name: summarise(each) for name, each in scores.items()}


def squashed(photo: Photo) -> Photo:
    """Return a photo of 320×320 pixels."""
    small = cv2.resize(photo.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return photo.with_rgb(np.asarray(small, np.float32))


def time_system(name: str, photo: Photo, scores: Scores, repeats: int) -> System:
    """Return the row of a detector, timed on a photo of 320×320 pixels.

    Raises:
        WeightsError, DeviceError: its network cannot be run.
    """
    detector = DETECTORS.get(name)
    networks = getattr(detector, "networks", ())
    map_ms = _fastest_ms(lambda: detector(photo), repeats)
    if not networks:
        return System(name, None, None, scores, map_ms, None, None)
    # Of several networks, the first makes the map.
    weights = chosen_weights(networks[0])
    size = weights.facts["network"].get("size")
    if "filters" in weights.facts:
        # Of its network they are all that is left to run.
        return System(name, size, weights.parameters, scores, map_ms, None, None)
    onnx_ms = _network_ms(weights, "onnx", repeats) if "onnx" in weights.files else None
    return System(
        name,
        size,
        weights.parameters,
        scores,
        map_ms,
        _network_ms(weights, "torch", repeats),
        onnx_ms,
    )


def systems_markdown(
    rows: Sequence[System], photos: int, threads: int, *, without_doubtful: bool
) -> str:
    """Return the table of the systems and that of the papers, in Markdown."""
    head = ["system", "size", "F_max", "F_ada", "F_B@.5", "MAE", "AUC", "parameters"]
    head += ["map ms", "network ms (torch)", "network ms (onnxruntime)"]
    ours = [_cells(row.as_record()) for row in rows]
    masks = " whose masks are not inverted" if without_doubtful else ""
    names = {row.name for row in rows}
    papers = [
        [each.system, each.photos, *map(_score, (each.f, each.mae, each.auc)), each.protocol]
        for each in PAPERS
        if each.system in names
    ]
    return (
        f"On the {photos} held-back photos of CUHK{masks}, squashed to {SIDE}×{SIDE}, maps "
        "compared at the masks' size. F_max, F_ada (threshold 1.5 × mean of each map) and AUC take "
        f"the in-focus class as positive, F_B the blurred one at 0.5; β² = 0.3. Times on {threads} "
        f"threads at {SIDE}×{SIDE}, the fastest of several: of the whole map as shipped, and of "
        "the network alone.\n\n"
        f"{_table(head, ours)}\n\n"
        "What the papers report. **These figures are not comparable** with the table above, nor "
        "with each other: other photos, other training data, larger networks, other "
        "definitions.\n\n"
        f"{_table(['system', 'photos', 'F', 'MAE', 'AUC', 'protocol'], papers)}\n"
    )


def _map(detector: Detector, photo: Photo, shape: tuple[int, ...]) -> Map:
    probability = detector(photo).in_focus_probability
    # Not BlurMap.resized: the protocol asks for bilinear interpolation in both directions.
    large = cv2.resize(probability, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    # Weights of float32 may add up to a shade more than 1.
    return np.clip(np.asarray(large, np.float32), 0, 1)


def _network_ms(weights: Weights, runtime: str, repeats: int) -> float:
    picture = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
    with _running_by(runtime):
        network, _ = open_network(weights.name)
        return _fastest_ms(lambda: network(picture), repeats)


@contextmanager
def _running_by(runtime: str) -> Iterator[None]:
    before = os.environ.get(RUNTIME_VARIABLE)
    os.environ[RUNTIME_VARIABLE] = runtime
    try:
        yield
    finally:
        if before is None:
            del os.environ[RUNTIME_VARIABLE]
        else:
            os.environ[RUNTIME_VARIABLE] = before


def _fastest_ms(job: Callable[[], object], repeats: int) -> float:
    job()  # pays for loading and filling caches
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        spent.append(1000 * (time.perf_counter() - start))
    return round(min(spent), 1)


def _cells(record: Mapping[str, str | int | float | None]) -> list[str]:
    cells = [str(record["system"]), str(record["size"] or "–")]
    cells += [_score(record[name]) for name in ("f_max", "f_adaptive", "f_blur", "mae", "auc")]
    count = record["parameters"]
    cells.append(_count(count) if isinstance(count, int) else "–")
    times = (record[name] for name in ("map_ms", "torch_ms", "onnx_ms"))
    return [*cells, *(f"{each:.0f}" if isinstance(each, float) else "–" for each in times)]


def _count(count: int) -> str:
    return f"{count / 1e6:.2f} M" if count >= 10_000 else str(count)


def _score(value: object) -> str:
    return f"{value:.3f}".removeprefix("0") if isinstance(value, float) else "–"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
