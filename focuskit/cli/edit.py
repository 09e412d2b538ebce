"""`focuskit magnify`, `bokeh`, `refocus` and `deblur`: the blur map put to work on photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focuskit.cli._edit_options import Lens, Shared, parsed
from focuskit.cli._edits import run_edits
from focuskit.cli._groups import grouped

if TYPE_CHECKING:
    from focuskit.photo import Photo

__all__ = ["bokeh", "deblur", "magnify", "refocus"]


@grouped
def magnify(
    lens: Lens,
    shared: Shared,
    factor: Annotated[
        float, typer.Option("--factor", min=1, max=20, help="How much larger all blur becomes.")
    ] = 2.0,
) -> None:
    """Enlarge the blur that is there, as a wider aperture would have; what is sharp stays.

    For IMG_1.jpg: IMG_1-magnify.jpg in the output folder, sub-folders mirrored, EXIF kept.
    """
    said = {"factor": factor} | lens.said()
    settings = {"factor": factor} | lens.settings()
    run_edits("magnify", shared, lambda _: settings, said)


@grouped
def bokeh(
    lens: Lens,
    shared: Shared,
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
    asked = {"f_number": f_number} if strength is None else {"strength": strength}
    settings = asked | lens.settings()
    run_edits("bokeh", shared, lambda _: settings, asked | lens.said())


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
    from focuskit.batch.places import Box, Spot

    given = {"at": at, "box": box, "plane_coc": plane_coc}
    said = {name: value for name, value in given.items() if value is not None}
    if len(said) != 1:
        raise typer.BadParameter(
            "give exactly one of them, such as --at 1200,800 or --at 30%,60%.",
            param_hint="--at / --box / --plane-coc",
        )
    spot = None if at is None else parsed(lambda: Spot.parse(at), "--at")
    frame = None if box is None else parsed(lambda: Box.parse(box), "--box")

    def settings(photo: Photo) -> dict[str, Any]:
        if spot is not None:
            return {"point": spot.on(photo)} | lens.settings()
        if frame is not None:
            return {"box": frame.on(photo)} | lens.settings()
        return {"coc_px": (plane_coc or 0.0) * photo.scale} | lens.settings()

    run_edits("refocus", shared, settings, said | lens.said())


@grouped
def deblur(
    shared: Shared,
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
    asked = {"apply": apply, "background": background}
    run_edits("deblur", shared, lambda _: asked, asked, photo=apply)
