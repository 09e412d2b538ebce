"""`focuskit magnify`, `bokeh`, `refocus` and `deblur`: the blur map put to work on photos."""

from __future__ import annotations

from typing import Annotated

import typer

from focuskit.cli._edit_options import Lens, Shared
from focuskit.cli._edits import run_edits
from focuskit.cli._groups import grouped

__all__ = ["bokeh", "magnify"]


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
