"""`focuskit bench edits`: the edits against pictures of which the truth is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, progress_bar, say

__all__ = ["Kind", "edits"]

Row = dict[str, Any]
Judge = Callable[[Path | None, Any, Callable[[int, int, int], None] | None], list[Row]]


class Kind(StrEnum):
    """The edits that can be judged."""

    BOKEH = "bokeh"
    MAGNIFY = "magnify"
    REFOCUS = "refocus"
    DEBLUR = "deblur"


class Set(StrEnum):
    """Scenes: those that constants may be chosen on, and those that judge the outcome."""

    JUDGING = "judging"
    DEVELOPMENT = "development"


_ADDING = (Kind.BOKEH, Kind.MAGNIFY)
# Judged otherwise than the edits that add blur.
_OTHERS = {
    Kind.REFOCUS: ("focuskit.training.judging_refocus", "judge_refocus"),
    Kind.DEBLUR: ("focuskit.training.judging_deblur", "judge_deblur"),
}


def edits(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder that holds rgbd, sharp, multifocus and focal-sweeps; without it only "
            "drawn scenes, and a motorcycle where scikit-image is installed.",
            show_default=False,
        ),
    ] = None,
    what: Annotated[
        list[Kind] | None,
        typer.Option(help="Edit to judge, as often as needed; default: all that can be."),
    ] = None,
    scenes: Annotated[
        int, typer.Option(min=1, max=100, help="How many scenes to draw; others come besides.")
    ] = 12,
    part: Annotated[
        Set, typer.Option("--set", help="Which scenes: choose constants on 'development'.")
    ] = Set.JUDGING,
    each: Annotated[bool, typer.Option("--each", help="A row for every scene, no means.")] = False,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind/--no-blind", help="Also judge with the blur estimated from the photo alone."
        ),
    ] = True,
    gegl: Annotated[
        bool, typer.Option("--gegl/--no-gegl", help="Compare with GEGL's lens blur where it is.")
    ] = True,
    output_format: FormatOption = Format.TABLE,
) -> None:
    """Compare edits with the truth, and with what people do by hand.

    bokeh and magnify: scenes drawn by a slow renderer that shares no code with the edits. psnr and
    ssim are those of encoded sRGB; band_psnr is that of pixels within 10 px of a depth edge.
    Peers: nothing done; a Gaussian through the mask of what is in focus; a Gaussian of each
    pixel's own width (levels); gegl:lens-blur with the same circles of confusion. above counts the
    scenes that are better than nothing done and than the Gaussian through the mask.
    """
    chosen = tuple(dict.fromkeys(what)) if what else tuple(Kind)
    tables = [_added(data, chosen, scenes, part, blind=blind, gegl=gegl)]
    tables += [
        _other(kind, data, part, asked=what is not None) for kind in chosen if kind in _OTHERS
    ]
    tables = [table if each else _means(table) for table in tables if table]
    if output_format is not Format.TABLE:
        rows = [row for table in tables for row in table]
        print_rows(rows, rows, (), output_format)
        return
    for number, table in enumerate(tables):
        if number:
            typer.echo()
        print_rows(table, table, _shown(table), output_format)


def _added(
    data: Path | None, chosen: Sequence[Kind], scenes: int, part: Set, *, blind: bool, gegl: bool
) -> list[Row]:
    from focuskit.training.judging import judge_added_blur
    from focuskit.training.judging_blind import judge_blind
    from focuskit.training.judging_scenes import Part
    from focuskit.training.peers import has_gegl

    kinds = [kind.value for kind in chosen if kind in _ADDING]
    if not kinds:
        return []
    if gegl and not has_gegl():
        say("GEGL is not compared with: the program gegl is absent (package gegl).")
    _say_what_is_missing(data)
    with progress_bar("Drawing") as advance:
        rows = judge_added_blur(
            data, Part(part.value), edits=kinds, count=scenes, gegl=gegl, advance=advance
        )
    if blind:
        with progress_bar("Estimating") as advance:
            rows += judge_blind(data, Part(part.value), edits=kinds, count=scenes, advance=advance)
    return rows


def _say_what_is_missing(data: Path | None) -> None:
    if data is None:
        say("No DATA: drawn scenes are papered without photos, and no real scene has its depth.")
    try:
        import_module("skimage.data")
    except ImportError:
        say("The scene 'motorcycle' is left out: it comes with scikit-image, which is absent.")


def _means(rows: list[Row]) -> list[Row]:
    from focuskit.training.judging import summary

    return summary(rows)


def _other(kind: Kind, data: Path | None, part: Set, *, asked: bool) -> list[Row]:
    from focuskit.errors import InputError
    from focuskit.training.judging_scenes import Part

    if data is None and kind is Kind.REFOCUS:
        if asked:
            raise InputError(f"{kind.value} is judged on real photos: give their folder as DATA.")
        say(f"{kind.value} is left out: it is judged on real photos, and no DATA was given.")
        return []
    module, name = _OTHERS[kind]
    judge: Judge = getattr(import_module(module), name)
    with progress_bar(f"Judging {kind.value}") as advance:
        return judge(data, Part(part.value), advance)


def _shown(rows: list[Row]) -> list[str]:
    """Name the columns of a table: of peers, the SSIM is left to CSV and JSON."""
    columns = dict.fromkeys(key for row in rows for key in row)
    return [key for key in columns if not key.endswith("_ssim")]
