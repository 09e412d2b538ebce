"""`focuskit bench batch`: what the batch engine costs here, and would cost on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli._options import DetectorOption, Format, FormatOption, WorkersOption
from focuskit.cli._output import print_rows, say

if TYPE_CHECKING:
    from focuskit.batch.bench.batch import Bench, Model

__all__ = ["batch"]

_MODEL = ("workers", "photos_per_s", "ideal_per_s", "minutes", "coordinator_busy", "workers_busy")


def batch(
    shots: Annotated[
        int, typer.Option(min=100, help="Shots with nothing to do, and of a finished library.")
    ] = 10_000,
    many: Annotated[
        int, typer.Option(min=100, help="Shots at which the coordinator's memory is measured.")
    ] = 100_000,
    photos: Annotated[
        int, typer.Option(min=48, help="How many 24 MP photos to cull in each round.")
    ] = 96,
    workers: WorkersOption = None,
    raw: Annotated[
        Path | None,
        typer.Option(help="Folder of RAWs with large previews; without it, a DNG is made."),
    ] = None,
    simulate: Annotated[
        bool,
        typer.Option("--simulate", help="Measure what a model of clusters needs, and run that."),
    ] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for pictures of the results; needs matplotlib.")
    ] = None,
    detector: DetectorOption = "",
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Measure speed, scaling, overhead, repeats and memory of a cull.

    Photos are one 24 MP JPEG under many names; times are core time per photo once the workers have
    started. With --simulate, the model of one coordinator and N workers is measured instead, held
    against 1, 2 and 4 workers of this machine that sleep, and run for 1 to 1,000.
    """
    from focuskit.batch.bench.batch import Bench
    from focuskit.batch.bench.raw import with_previews
    from focuskit.cli._output import output_folder
    from focuskit.detect import LIBRARY_DETECTOR, open_detector

    name = detector or LIBRARY_DETECTOR
    open_detector(name)
    raws, others = ([], []) if raw is None else with_previews(raw)
    for other in others:
        say(other)
    folder = None if pictures is None else output_folder(pictures, ())
    bench = Bench(shots, many, photos, workers, name, tuple(raws), say)
    if simulate:
        _simulate(bench, folder, output_format)
    else:
        _measure(bench, folder, output_format)


def _measure(bench: Bench, folder: Path | None, output_format: Format) -> None:
    from focuskit.batch.bench.batch import bench_batch

    rows, stages = bench_batch(bench)
    rows += [
        {"what": f"of one photo: {name}", "value": seconds * 1000, "unit": "ms"}
        for name, seconds in stages.items()
    ]
    print_rows(rows, rows, ("what", "value", "unit"), output_format)
    if folder is not None:
        from focuskit.batch.bench.charts import draw_stages

        title = f"Culling one 24 MP JPEG with {bench.detector}, on one core"
        _write(folder / "batch-stages.png", draw_stages(stages, title))


def _simulate(bench: Bench, folder: Path | None, output_format: Format) -> None:
    from focuskit.batch.bench.batch import bench_model

    model = bench_model(bench)
    print_rows(model.rows, model.rows, _MODEL, output_format)
    for line in _said(model):
        say(line)
    if folder is not None:
        from focuskit.batch.bench.charts import draw_cluster

        title = f"{bench.many:,} photos of 24 MP, one coordinator, workers of one core each"
        picture = draw_cluster(model.rows, model.checked, model.costs.most_per_s, title)
        _write(folder / "batch-cluster.png", picture)


def _said(model: Model) -> list[str]:
    costs = model.costs
    mean_s = sum(costs.photo_s) / len(costs.photo_s)
    lines = [
        f"Measured: {mean_s * 1000:.1f} ms a photo in a worker; the coordinator takes "
        f"{costs.task_s * 1000:.2f} ms for a task and {costs.row_s * 1000:.3f} ms for a shot: "
        f"{costs.most_per_s:.0f} photos/s with {costs.per_task} to a task, whatever the cluster."
    ]
    for workers, measured_s, simulated_s in model.checked:
        lines.append(
            f"Checked with {workers} workers that sleep: {measured_s:.2f} s, simulated "
            f"{simulated_s:.2f} s ({measured_s / simulated_s - 1:+.1%})."
        )
    return lines


def _write(path: Path, data: bytes) -> None:
    from focuskit.errors import OutputError

    try:
        path.write_bytes(data)
    except OSError as exc:
        raise OutputError(f"{path} could not be written ({exc.strerror}).") from exc
    say(f"Picture: {path}")
