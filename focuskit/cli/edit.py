"""`focuskit magnify`, `bokeh`, `refocus` and `deblur`: the blur map put to work on photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from focuskit.cli._edit_options import EditCrewOptions, Lens, Shared, parsed
from focuskit.cli._edits import run_edits
from focuskit.cli._groups import grouped

__all__ = ["bokeh", "deblur", "magnify", "refocus"]


@grouped
def magnify(
    lens: Lens,
    shared: Shared,
    crew: EditCrewOptions,
    factor: Annotated[
        float, typer.Option("--factor", min=1, max=20, help="How much larger all blur becomes.")
    ] = 2.0,
) -> None:
    """Enlarge the blur that is there, as a wider aperture would have; what is sharp stays.

    For IMG_1.jpg: IMG_1-magnify.jpg in the output folder, sub-folders mirrored, EXIF kept.
    """
    from focuskit.batch.edits import Settings

    asked = {"factor": factor}
    run_edits("magnify", shared, crew, Settings(asked | lens.settings()), asked | lens.said())


@grouped
def bokeh(
    lens: Lens,
    shared: Shared,
    crew: EditCrewOptions,
    f_number: Annotated[
        float | None,
        typer.Option("--f-number", min=0.5, max=64, help="Blur as of this f-number, by EXIF."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            min=0,
            max=10,
            help="Or: diameter of the background's discs in per cent of the picture's diagonal; 2 "
            "is a portrait lens wide open.",
        ),
    ] = None,
) -> None:
    """Blur the background as a wider aperture would have; what is in focus stays as it is.

    Give one of --f-number and --strength. For IMG_1.jpg: IMG_1-bokeh.jpg in the output folder,
    sub-folders mirrored, EXIF kept.
    """
    if (f_number is None) == (strength is None):
        raise typer.BadParameter(
            "give exactly one of them, such as --f-number 1.4, or --strength 2 for photos whose "
            "EXIF does not say at which f-number they were taken.",
            param_hint="--f-number / --strength",
        )
    from focuskit.batch.edits import Settings

    asked = {"f_number": f_number} if strength is None else {"strength": strength}
    run_edits("bokeh", shared, crew, Settings(asked | lens.settings()), asked | lens.said())


@dataclass(frozen=True)
class RefocusLens(Lens):
    """Options of the blur that refocusing draws."""

    # Against real photos more of it makes sunlit textures glitter.
    highlights: Annotated[
        float,
        typer.Option(
            "--highlights", min=0, max=1, help="How much light clipped lamps get back before blur."
        ),
    ] = 0.1


@grouped
def refocus(
    lens: RefocusLens,
    shared: Shared,
    crew: EditCrewOptions,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="X,Y", help="A point on it: pixels, or shares as in 50%,40%."),
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", metavar="X0,Y0,X1,Y1", help="Or a box around it.")
    ] = None,
    plane_coc: Annotated[
        float | None,
        typer.Option(
            "--plane-coc",
            metavar="PX",
            help="Or how blurred it is: its circle of confusion in pixels of the full photo; "
            "negative before the plane of focus.",
        ),
    ] = None,
) -> None:
    """Move the plane of focus: what it names gets sharper, what was sharp is blurred.

    Give one of --at, --box and --plane-coc. For IMG_1.jpg: IMG_1-refocus.jpg and
    IMG_1-refocus-confidence.png (how far each pixel that changed is to be believed) in the output
    folder, sub-folders mirrored, EXIF kept. Detail that blur took altogether does not come back:
    where restoring is not sure, the photo stays as it was.
    """
    from focuskit.batch.edits import Settings
    from focuskit.batch.places import Box, Spot

    given = {"at": at, "box": box, "plane_coc": plane_coc}
    said = {name: value for name, value in given.items() if value is not None}
    if len(said) != 1:
        raise typer.BadParameter(
            "give exactly one of them, such as --at 1200,800 or --at 30%,60%.",
            param_hint="--at / --box / --plane-coc",
        )
    asked: dict[str, Any] = {}
    if at is not None:
        asked = {"point": parsed(lambda: Spot.parse(at), "--at")}
    elif box is not None:
        asked = {"box": parsed(lambda: Box.parse(box), "--box")}
    elif plane_coc is not None:
        asked = {"coc_px": plane_coc}
    run_edits("refocus", shared, crew, Settings(asked | lens.settings()), said | lens.said())


@grouped
def deblur(
    shared: Shared,
    crew: EditCrewOptions,
    apply: Annotated[
        bool, typer.Option("--apply", help="Also restore the regions and write the photo.")
    ] = False,
    background: Annotated[
        bool,
        typer.Option(
            "--background", help="Also what lies far out of focus around a subject in focus."
        ),
    ] = False,
) -> None:
    """Find the regions worth deblurring, with how much that would gain; --apply restores them.

    For IMG_1.jpg: IMG_1-deblur-regions.png, 16 bits, 0 or the number of a region, and
    IMG_1-deblur-regions.json with box, blur, expected gain and reason of each, and why the others
    were left out; with --apply also IMG_1-deblur.jpg, bit-identical outside the regions where the
    format allows, or no photo where no region is worth it.
    """
    if shared.compare and not apply:
        raise typer.BadParameter(
            "compares the restored photo with the original; add --apply.", param_hint="--compare"
        )
    from focuskit.batch.edits import Settings

    asked = {"apply": apply, "background": background}
    run_edits("deblur", shared, crew, Settings(asked), asked, photo=apply)
