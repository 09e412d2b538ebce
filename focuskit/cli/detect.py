"""`focuskit detect`: the blur map of single photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from focuskit.cli._edit_options import EditCrewOptions
from focuskit.cli._edits import print_plan, tell_results
from focuskit.cli._groups import grouped
from focuskit.cli._options import (
    DetectorOption,
    Device,
    DeviceOption,
    DryRunOption,
    Format,
    FormatOption,
    MaxMegapixelsOption,
    OutputOption,
    OverwriteOption,
)
from focuskit.cli._output import output_folder, print_rows, progress_bar
from focuskit.cli._which import Which

__all__ = ["detect"]

_COLUMNS = ("shot", "width", "height", "in_focus_share", "texture_share", "map")


@grouped
def detect(
    which: Which,
    crew: EditCrewOptions,
    output: OutputOption = Path("focuskit-detect"),
    detector: DetectorOption = "",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Weights of your own for the detector's network: a .safetensors file that "
            "`focuskit train` or `focuskit weights export` wrote; default: FOCUSKIT_WEIGHTS "
            "(NETWORK=FILE), or the shipped ones.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    dry_run: DryRunOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Write the blur map of each photo: 16-bit PNG, an overlay to look at, and JSON.

    For IMG_1.jpg: IMG_1.jpg-map.png (white = in focus), IMG_1.jpg-coc.png (circle of confusion,
    1/64 px per step), IMG_1.jpg-confidence.png (8 bit), IMG_1.jpg-overlay.jpg and
    IMG_1.jpg-map.json. Sub-folders are mirrored. The edits take them by --map.
    """
    from focuskit.batch.making import Workplace, detect_step, make, plan
    from focuskit.batch.maps import MapMaker
    from focuskit.batch.naming import named
    from focuskit.batch.opening import opened
    from focuskit.detect import DEFAULT_DETECTOR, open_detector

    name = detector or DEFAULT_DETECTOR
    if weights is not None:
        _choose(name, weights)
    open_detector(name)
    found = which.shots()
    folder = output_folder(output, found.folders, make=not dry_run)
    step = detect_step(MapMaker(folder, name, max_megapixels), folder)
    shots = named(found.shots)
    with opened(folder, write=not dry_run) as catalog:
        place = Workplace(
            folder=folder,
            catalog=catalog,
            originals=found.shots,
            crew=crew.crew(),
            overwrite=overwrite,
            retry=crew.retry_failed,
        )
        if dry_run:
            print_plan(plan(step, shots, place), output_format)
            return
        with progress_bar("Detecting") as progress:
            records, problems = make(step, shots, place, progress=progress)
    print_rows(records, records, _COLUMNS, output_format)
    tell_results(records, [*found.problems, *problems])


def _choose(detector: str, weights: Path) -> None:
    """Let a detector's network run with a person's weights, here and in worker processes."""
    from focuskit.detect import DETECTORS
    from focuskit.detect.weights import WEIGHTS_VARIABLE

    networks = getattr(DETECTORS.get(detector), "networks", ())
    if not networks:
        raise typer.BadParameter(
            f"{detector} runs no network that weights could be given for.",
            param_hint="--weights",
        )
    # Of several networks, the first makes the map. Workers may start in another folder.
    os.environ[WEIGHTS_VARIABLE] = f"{networks[0]}={weights.resolve()}"
