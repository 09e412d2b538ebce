"""`focuskit bench`: what things cost here, and how well detectors do where the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from focuskit.cli import _exit
from focuskit.cli._options import (
    DetectorOption,
    DetectorsOption,
    Format,
    FormatOption,
    PhotosArgument,
    WorkersOption,
)
from focuskit.cli._output import print_rows, progress_bar, report_problems, say, shots_or_exit
from focuskit.cli.bench_ablations import ablations
from focuskit.cli.bench_batch import batch
from focuskit.cli.bench_bokeh import bokeh
from focuskit.cli.bench_bridge import bridge
from focuskit.cli.bench_cull import cull
from focuskit.cli.bench_edits import edits
from focuskit.cli.bench_review import review
from focuskit.cli.bench_systems import systems

if TYPE_CHECKING:
    from focuskit.batch.library import Problem, Shot
    from focuskit.detect import Detector

__all__ = ["bench"]

T = TypeVar("T")

bench = typer.Typer(
    name="bench",
    no_args_is_help=True,
    help="Measure speed, memory, and detectors where the truth is known.",
)

_COCS_PX = (6.0, 8.0, 12.0)
_LARGEST_COC_PX = 200
# The one that learned it and the one that measures edges.
_COC_DETECTORS = ("focusnet", "reblur")
# Textures for hundreds of scenes, at a bounded cost.
_TEXTURE_PHOTOS = 100
_CALLS = ("method", "coc_px", "misfocused_called", "sharp_called", "threshold", "photos")
_ERRORS = ("detector", "coc_px", "median", "q1", "q3", "confident_median", "confident_share")
_TIMES = ("what", "minimum_ms", "median_ms", "ratio_of_minima", "ratio_of_medians")

SeedOption = Annotated[int, typer.Option(min=0, help="Of all chance.")]


bench.command()(ablations)
bench.command()(batch)
bench.command()(bokeh)
bench.command()(bridge)
bench.command()(cull)
bench.command()(edits)
bench.command()(review)
bench.command()(systems)


@bench.callback()
def _bench() -> None:
    """Measure speed, memory, and detectors where the truth is known."""


@bench.command()
def decode(
    photos: Annotated[int, typer.Option(min=8, help="How many 24 MP photos to cull.")] = 96,
    detector: DetectorOption = "",
    workers: WorkersOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Compare culling a 24 MP JPEG with decoding it.

    Decoding is `cv2.imdecode` alone, one thread, on as many processes as cull uses; both are given
    as core time per photo, after the workers have started. The contact sheet's pictures are part of
    the cull.
    """
    from focuskit.batch.bench.decoding import bench_decode
    from focuskit.detect import LIBRARY_DETECTOR, open_detector

    name = detector or LIBRARY_DETECTOR
    open_detector(name)
    say(f"Making a 24 MP JPEG and culling it {photos} times with {name} ...")
    rows = bench_decode(photos, name, workers)
    print_rows(rows, rows, ("what", "value", "unit"), output_format)


@bench.command("map")
def map_(
    detector: DetectorsOption = None,
    size: Annotated[int, typer.Option(min=16, max=6000, help="Sides of the map in pixels.")] = 320,
    repeats: Annotated[int, typer.Option(min=1, help="How often each is timed.")] = 15,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a map may use.")] = 2,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Compare one map of SIZE×SIZE pixels with decoding a 24 MP JPEG.

    Decoding is `cv2.imdecode` alone, which uses one thread. All take turns, so that what else the
    machine does slows all alike; where it does much, the minima tell more than the medians.
    Without --detector, every detector is timed.
    """
    from focuskit.batch.bench.decoding import camera_jpeg
    from focuskit.training.timing import time_maps

    # Networks are opened later, with the threads that they may use.
    detectors = _chosen(detector, _all_detectors(), ready=False)
    jpeg = camera_jpeg()
    jpeg_mb = round(len(jpeg) / 1e6, 2)
    say(f"Decoding a 24 MP JPEG of {jpeg_mb} MB, and mapping {size}×{size} px, {repeats} times.")
    with progress_bar("Timing") as advance:
        timings = time_maps(
            detectors, jpeg, size=size, repeats=repeats, threads=threads, advance=advance
        )
    facts = {"jpeg_mb": jpeg_mb, "size_px": size, "repeats": repeats, "threads": threads}
    rows = [asdict(timing) | facts for timing in timings]
    print_rows(rows, rows, _TIMES, output_format)


@bench.command()
def misfocus(
    photos: PhotosArgument,
    detector: DetectorsOption = None,
    coc_px: Annotated[
        list[float] | None,
        typer.Option(
            min=1,
            max=_LARGEST_COC_PX,
            help="Circle of confusion at a long side of 1600 px, as often as needed; "
            "default: 6, 8 and 12.",
        ),
    ] = None,
    camera: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="How much noise, mosaic, sharpening and JPEG frames get besides; 0.5 is a camera "
            "in fair light.",
        ),
    ] = 0.0,
    seed: SeedOption = 0,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Count how often misfocused frames are said to have nothing in focus, and sharp ones.

    PHOTOS are sharp somewhere. Each is shrunk to at most 1600 px and the whole frame blurred in
    linear light by a disc. Smaller photos keep their size, and the disc covers the same share of
    them. A frame is called if a smaller share of
    it than the threshold is in focus; the baselines' thresholds are chosen on these very sharp
    frames. Without --detector, every detector is tried.
    """
    from focuskit.io import read_photo
    from focuskit.training.example import BLURRED_ABOVE_COC_PX
    from focuskit.training.trials import BASELINES, FALSE_SHARE, MisfocusTrial, allowed_calls

    detectors = _chosen(detector, _all_detectors())
    found = shots_or_exit(photos)
    trial = MisfocusTrial(detectors, coc_px or _COCS_PX, seed=seed, camera=camera)
    problems = list(found.problems)

    def add(shot: Shot) -> None:
        trial.add(shot.judged.name, read_photo(shot.judged))

    _each(found.shots, problems, "Blurring", add)
    rows = _or_list(trial.rows, problems)
    if trial.least_coc_px < BLURRED_ABOVE_COC_PX:
        say(
            f"Small photos: the least blur drawn is {trial.least_coc_px:.1f} px of its photo, and "
            f"below {BLURRED_ABOVE_COC_PX:g} px neither answer is wrong."
        )
    count = rows[0].photos
    say(
        f"The thresholds of {' and '.join(BASELINES)} are chosen on these sharp frames, of which "
        f"they call at most {100 * FALSE_SHARE:g} % ({allowed_calls(count)} of {count}); in a "
        "library nobody knows them beforehand."
    )
    _print(rows, _CALLS, problems, output_format)


@bench.command()
def coc(
    photos: PhotosArgument,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of masks with the photos' names, of what is in focus or not."),
    ] = None,
    detector: DetectorsOption = None,
    scenes: Annotated[int, typer.Option(min=1, max=500, help="How many to render.")] = 40,
    seed: SeedOption = 0,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Compare detectors' circles of confusion with those of rendered scenes.

    Scenes are papered with crisp pieces of PHOTOS (of a hundred of them, drawn at random, if there
    are more). The error is |found - true| / true, over all pixels with a true circle of 2 to 20 px,
    and over those that the detector is confident of (0.5 and more). Networks learn from such
    scenes: give photos that they did not see. Without --detector: focusnet and reblur.
    """
    import numpy as np

    from focuskit.training.papers import Paper, find_masks, papers_to_textures, read_paper
    from focuskit.training.scenes import SceneMaker
    from focuskit.training.trials import CocTrial

    detectors = _chosen(detector, _COC_DETECTORS)
    by_stem = None if masks is None else find_masks(masks)
    found = shots_or_exit(photos)
    problems = list(found.problems)
    rng = np.random.default_rng([seed, 0])
    drawn = sorted(rng.permutation(len(found.shots))[:_TEXTURE_PHOTOS].tolist())
    papers: list[Paper] = []

    def add(shot: Shot) -> None:
        papers.append(read_paper(shot.judged, by_stem))

    _each([found.shots[index] for index in drawn], problems, "Reading", add)
    textures = _or_list(lambda: papers_to_textures(papers, rng), problems)
    say(f"Rendering {scenes} scenes from {len(textures)} pieces of {len(papers)} photos.")
    maker, trial = SceneMaker(textures), CocTrial(detectors)
    with progress_bar("Rendering") as advance:
        for number in range(scenes):
            # Each its own chance: the first scenes of many are those of few.
            trial.add(maker.make(np.random.default_rng([seed, 1, number])))
            if advance is not None:
                advance(number + 1, scenes, 0)
    _print(trial.rows(), _ERRORS, problems, output_format)


def _all_detectors() -> list[str]:
    from focuskit.detect import DETECTORS, is_ready

    names = [row.name for row in DETECTORS]
    ready = [name for name in names if is_ready(name)]
    if missing := [name for name in names if name not in ready]:
        say(f"Left out, because their weights do not ship: {', '.join(missing)}.")
    return ready


def _chosen(
    names: Sequence[str] | None, default: Sequence[str], *, ready: bool = True
) -> dict[str, Detector]:
    from focuskit.detect import DETECTORS, open_detector

    opened = open_detector if ready else DETECTORS.get
    return {name: opened(name) for name in names or default}


def _each(
    shots: Sequence[Shot], problems: list[Problem], label: str, add: Callable[[Shot], None]
) -> None:
    """Add every shot that can be used; the others become problems."""
    from focuskit.batch.library import Problem
    from focuskit.errors import InputError

    with progress_bar(label) as advance:
        for done, shot in enumerate(shots, 1):
            try:
                add(shot)
            except InputError as exc:
                problems.append(Problem(shot.name, str(exc)))
            if advance is not None:
                advance(done, len(shots), len(problems))


def _or_list(ask: Callable[[], T], problems: Sequence[Problem]) -> T:
    """Return what `ask` gives; where nothing can be given, tell of every photo why."""
    from focuskit.errors import InputError

    try:
        return ask()
    except InputError:
        report_problems(problems)
        raise


def _print(
    values: Sequence[Any], columns: Sequence[str], problems: Sequence[Problem], how: Format
) -> None:
    rows = [asdict(value) for value in values]
    print_rows(rows, rows, columns, how)
    report_problems(problems)
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)
