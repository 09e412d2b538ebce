"""`focuskit detect`: the blur map of single photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from focuskit.cli import _exit
from focuskit.cli._options import (
    DetectorOption,
    Device,
    DeviceOption,
    Format,
    FormatOption,
    MaxMegapixelsOption,
    OutputOption,
    OverwriteOption,
    PhotosArgument,
)
from focuskit.cli._output import output_folder, print_rows, report_problems, shots_or_exit

if TYPE_CHECKING:
    from focuskit.batch.library import Problem

__all__ = ["detect"]

_COLUMNS = ("shot", "width", "height", "in_focus_share", "texture_share", "map")


def detect(
    photos: PhotosArgument,
    output: OutputOption = Path("focuskit-detect"),
    detector: DetectorOption = "",
    overwrite: OverwriteOption = False,
    device: DeviceOption = Device.AUTO,
    max_megapixels: MaxMegapixelsOption = None,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Write the blur map of each photo: 16-bit PNG, an overlay to look at, and JSON.

    For IMG_1.jpg: IMG_1.jpg-map.png (white = in focus), IMG_1.jpg-coc.png (circle of confusion,
    1/64 px per step), IMG_1.jpg-confidence.png (8 bit), IMG_1.jpg-overlay.jpg and
    IMG_1.jpg-map.json. Sub-folders are mirrored. The edits take them by --map.
    """
    from focuskit.batch.library import Problem
    from focuskit.batch.maps import write_map
    from focuskit.detect import DEFAULT_DETECTOR, open_detector
    from focuskit.errors import FocuskitError

    name = detector or DEFAULT_DETECTOR
    open_detector(name)
    found = shots_or_exit(photos)
    folder = output_folder(output, photos)
    records: list[dict[str, Any]] = []
    problems: list[Problem] = list(found.problems)
    for shot in found.shots:
        try:
            records.append(write_map(shot, folder, name, max_megapixels, overwrite=overwrite))
        except FocuskitError as exc:
            problems.append(Problem(shot.name, str(exc)))
    print_rows(records, records, _COLUMNS, output_format)
    report_problems(problems)
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)
