"""Options of the commands that edit photos, in groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from focuskit.cli._crew_options import CrewOptions
from focuskit.cli._options import (
    BitsOption,
    CocOption,
    CompareOption,
    DepthOption,
    DetectorOption,
    Device,
    DeviceOption,
    DryRunOption,
    EmbeddedDepthOption,
    FileKindOption,
    FocusOption,
    Format,
    FormatOption,
    MapOption,
    MaskOption,
    MaxMegapixelsOption,
    OutputOption,
    OverwriteOption,
    PreviewOption,
    QualityOption,
)
from focuskit.cli._which import Which

__all__ = ["EditCrewOptions", "Lens", "Shared", "parsed"]

T = TypeVar("T")


@dataclass(frozen=True)
class EditCrewOptions(CrewOptions):
    """Options of the batch engine where it edits, which takes more room and time than looking."""

    memory: Annotated[
        float,
        typer.Option(
            "--memory",
            min=0.25,
            help="GiB that one worker may hold; a photo that needs more is named, the rest done.",
        ),
    ] = 4.0
    time_limit: Annotated[
        float, typer.Option("--time-limit", min=0.1, help="Seconds that one photo may take.")
    ] = 900.0


@dataclass(frozen=True)
class Shared(Which):
    """Options of every edit."""

    output: OutputOption = Path("focuskit-edit")
    file_kind: FileKindOption = None
    bits: BitsOption = None
    quality: QualityOption = 95
    compare: CompareOption = False
    preview: PreviewOption = False
    overwrite: OverwriteOption = False
    map_file: MapOption = None
    coc_file: CocOption = None
    depth_file: DepthOption = None
    embedded_depth: EmbeddedDepthOption = True
    focus: FocusOption = None
    mask_file: MaskOption = None
    detector: DetectorOption = ""
    device: DeviceOption = Device.AUTO
    max_megapixels: MaxMegapixelsOption = None
    dry_run: DryRunOption = False
    output_format: FormatOption = Format.TABLE


@dataclass(frozen=True)
class Lens:
    """Options of edits that draw blur."""

    blades: Annotated[
        int, typer.Option("--blades", min=0, max=9, help="Of the aperture: 5 to 9, or 0 = round.")
    ] = 0
    rotation: Annotated[
        float,
        typer.Option("--rotation", help="Of the aperture, in degrees counter-clockwise."),
    ] = 0.0
    curvature: Annotated[
        float,
        typer.Option("--curvature", min=0, max=1, help="Of the blades: 0 = straight, 1 = round."),
    ] = 0.0
    cats_eye: Annotated[
        float,
        typer.Option("--cats-eye", min=0, max=1, help="How far discs narrow towards the corners."),
    ] = 0.0
    ring: Annotated[
        float,
        typer.Option(
            "--ring", min=-1, max=1, help="Discs with bright rims (above 0) or soft ones (below)."
        ),
    ] = 0.0
    highlights: Annotated[
        float,
        typer.Option(
            "--highlights", min=0, max=1, help="How much light clipped lamps get back before blur."
        ),
    ] = 0.5
    grain: Annotated[
        bool, typer.Option("--grain/--no-grain", help="Give blurred parts the photo's noise again.")
    ] = True

    def settings(self) -> dict[str, Any]:
        """Return them as operations take them.

        Raises:
            BadParameter: there is no such aperture.
        """
        from focuskit.optics.psf import Aperture

        aperture = parsed(
            lambda: Aperture(self.blades, self.rotation, self.curvature, self.ring, self.cats_eye),
            "--blades",
        )
        return {"aperture": aperture, "highlights": self.highlights, "grain": self.grain}

    def said(self) -> dict[str, Any]:
        """Return them as records hold them."""
        return asdict(self)


def parsed(make: Callable[[], T], option: str) -> T:
    """Return what `make` makes of an option's text; what is wrong with it is a usage error."""
    from focuskit.errors import InputError

    try:
        return make()
    except InputError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc
