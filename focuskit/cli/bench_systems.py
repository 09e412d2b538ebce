"""`focuskit bench systems`: the published systems beside the other detectors, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focuskit.cli._options import (
    DetectorsOption,
    Format,
    FormatOption,
    LeaveOutDoubtfulOption,
    OverwriteOption,
)
from focuskit.cli._output import check_free, print_rows, progress_bar, say, write_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["systems"]

_DATASET = "cuhk"
_FOLDER = "cuhk-dbd"
_COLUMNS = (
    "system",
    "size",
    "f_max",
    "f_adaptive",
    "f_blur",
    "mae",
    "auc",
    "parameters",
    "map_ms",
    "torch_ms",
    "onnx_ms",
)


def systems(
    data: Annotated[Path, typer.Argument(help="Folder that holds cuhk-dbd, as for training.")],
    detector: DetectorsOption = None,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write the table as Markdown, with the papers' own figures."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Write a PNG: six pictures, where they are in focus, and every map."),
    ] = None,
    samples: Annotated[
        Path, typer.Option(help="Folder of sharp photos that some of those are papered with.")
    ] = Path("samples"),
    leave_out_doubtful: LeaveOutDoubtfulOption = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Judge on so many held-back photos at most.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often each is timed.")] = 10,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a map may use.")] = 2,
    overwrite: OverwriteOption = False,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Judge the published systems and the other detectors on photos held back from training.

    All see photos squashed to 320×320, by the shipped weights (or FOCUSKIT_WEIGHTS); maps are
    compared at the masks' size. Times are the fastest of REPEATS at 320×320: of the whole map as
    shipped, and of the network alone by torch and by onnxruntime. Without --detector: all whose
    weights are there.
    """
    from focuskit.errors import InputError
    from focuskit.training.datasets import find_dataset, validation_split
    from focuskit.training.systems_table import (
        judge_systems,
        squashed,
        systems_markdown,
        time_system,
        use_threads,
    )

    for path in (markdown, pictures):
        check_free(path, overwrite=overwrite)
    use_threads(threads)
    names = _names(detector)
    textures = _textures(samples) if pictures is not None else []
    found = find_dataset(_DATASET, data / _FOLDER)
    for remark in found.remarks:
        say(remark)
    left_out = found.doubtful if leave_out_doubtful else ()
    held = validation_split(found.items)[0]
    items = [item for item in held if item.name not in left_out][:limit]
    if not items:
        raise InputError(
            f"{data / _FOLDER} holds {len(found.items)} photos, of which none is held back; give "
            "the data that training takes."
        )
    with progress_bar("Judging") as advance:
        scores = judge_systems(names, found, items, advance)
    say(f"Judged on {len(items)} held-back photos; timing {repeats} times on {threads} threads.")
    photo = squashed(found.read(items[0])[0])
    rows = [time_system(name, photo, scores[name], repeats) for name in names]
    if markdown is not None:
        text = systems_markdown(rows, len(items), threads, without_doubtful=leave_out_doubtful)
        write_file(markdown, text.encode(), overwrite=overwrite)
    if pictures is not None:
        _draw(pictures, names, textures, overwrite=overwrite)
    records = [row.as_record() for row in rows]
    print_rows(records, records, _COLUMNS, output_format)


def _names(chosen: Sequence[str] | None) -> list[str]:
    from focuskit.detect import DETECTORS, is_ready, open_detector

    if chosen:
        for name in chosen:
            open_detector(name)
        return list(dict.fromkeys(chosen))
    names = [row.name for row in DETECTORS]
    ready = [name for name in names if is_ready(name)]
    if missing := [name for name in names if name not in ready]:
        say(f"Left out, because their weights do not ship: {', '.join(missing)}.")
    return ready


def _textures(folder: Path) -> list[NDArray[np.uint8]]:
    import numpy as np

    from focuskit.batch.library import find_shots
    from focuskit.errors import InputError
    from focuskit.training.papers import papers_to_textures, read_paper

    shots = find_shots([folder]).shots if folder.is_dir() else ()
    if not shots:
        raise InputError(f"{folder} holds no photos; name a folder of sharp ones with --samples.")
    papers = [read_paper(shot.judged) for shot in shots]
    return papers_to_textures(papers, np.random.default_rng(0))


def _draw(
    path: Path, names: Sequence[str], textures: Sequence[NDArray[np.uint8]], *, overwrite: bool
) -> None:
    import cv2

    from focuskit.training.systems_picture import draw_systems

    with progress_bar("Drawing") as advance:
        picture = draw_systems(names, textures, advance)
    _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_file(path, png.tobytes(), overwrite=overwrite)
