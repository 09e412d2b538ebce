"""What the commands that edit photos share: their options, and the run over all photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from focuskit.cli import _exit
from focuskit.cli._options import (
    BitsOption,
    CocOption,
    CompareOption,
    DepthOption,
    DetectorOption,
    Device,
    DeviceOption,
    FileKindOption,
    FocusOption,
    Format,
    FormatOption,
    MapOption,
    MaskOption,
    MaxMegapixelsOption,
    OutputOption,
    OverwriteOption,
    PhotosArgument,
    PreviewOption,
    QualityOption,
)
from focuskit.cli._output import (
    output_folder,
    print_rows,
    progress_bar,
    report_problems,
    say,
    shots_or_exit,
)

if TYPE_CHECKING:
    from focuskit.batch.edits import Edit, Record
    from focuskit.batch.guides import Guides
    from focuskit.batch.library import Library, Problem
    from focuskit.photo import Photo

__all__ = ["Lens", "Shared", "parsed", "run_edits"]

T = TypeVar("T")

_COLUMNS = ("shot", "operation", "changed_share", "seconds", "file")


@dataclass(frozen=True)
class Shared:
    """Options of every edit."""

    photos: PhotosArgument
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
    focus: FocusOption = None
    mask_file: MaskOption = None
    detector: DetectorOption = ""
    device: DeviceOption = Device.AUTO
    max_megapixels: MaxMegapixelsOption = None
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
        return {
            "blades": self.blades,
            "rotation": self.rotation,
            "curvature": self.curvature,
            "cats_eye": self.cats_eye,
            "ring": self.ring,
            "highlights": self.highlights,
            "grain": self.grain,
        }


def parsed(make: Callable[[], T], option: str) -> T:
    """Return what `make` makes of an option's text; what is wrong with it is a usage error."""
    from focuskit.errors import InputError

    try:
        return make()
    except InputError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def run_edits(
    operation: str,
    shared: Shared,
    settings: Callable[[Photo], Mapping[str, Any]],
    said: Mapping[str, Any],
    *,
    photo: bool = True,
) -> None:
    """Edit all photos, print what was done, and leave with the exit code that fits.

    Args:
        operation: name in OPERATIONS.
        shared: the options.
        settings: gives the operation's settings for a photo, in pixels of that photo.
        said: the settings as they were given, for records.
        photo: whether the edited photo is written.
    """
    from focuskit.batch.edits import Edit
    from focuskit.batch.naming import Naming
    from focuskit.detect import DEFAULT_DETECTOR

    guides = _guides(shared)
    detector = shared.detector or DEFAULT_DETECTOR
    _check_detector(detector, needed=shared.map_file is None and shared.coc_file is None)
    found = shots_or_exit(shared.photos)
    _check_one_photo(guides, len(found.shots))
    naming = Naming(
        folder=output_folder(shared.output, shared.photos),
        shots=found.shots,
        kind=shared.file_kind,
        bits=None if shared.bits is None else int(shared.bits),
        photo=photo,
        compare=shared.compare,
        preview=shared.preview,
        overwrite=shared.overwrite,
    )
    edit = Edit(
        operation=operation,
        naming=naming,
        settings=settings,
        said=said,
        guides=guides,
        detector=detector,
        device="cuda" if os.environ.get("FOCUSKIT_DEVICE") == Device.CUDA else "cpu",
        quality=shared.quality,
        max_megapixels=shared.max_megapixels,
    )
    records, problems = _edit_all(edit, found)
    print_rows(records, [_flat(record) for record in records], _COLUMNS, shared.output_format)
    for record in records:
        for note in record["notes"]:
            say(f"{record['shot']}: {note}")
    report_problems(problems)
    if problems:
        raise typer.Exit(_exit.SOME_FAILED)


def _guides(shared: Shared) -> Guides:
    from focuskit.batch.guides import Guides
    from focuskit.batch.places import Spot

    focus = None
    if shared.focus is not None:
        text = shared.focus
        if shared.depth_file is None:
            raise typer.BadParameter(
                "says where a depth is in focus; give --depth too.", param_hint="--focus"
            )
        focus = parsed(lambda: Spot.parse(text), "--focus")
    return Guides(
        map=shared.map_file,
        coc=shared.coc_file,
        depth=shared.depth_file,
        focus=focus,
        mask=shared.mask_file,
        max_megapixels=shared.max_megapixels,
    )


def _check_detector(name: str, *, needed: bool) -> None:
    from focuskit.detect import DETECTORS, open_detector

    if needed:
        open_detector(name)
    elif name not in DETECTORS:
        DETECTORS.get(name)


def _check_one_photo(guides: Guides, photos: int) -> None:
    from focuskit.errors import InputError

    files = guides.of_one_photo
    if files and photos > 1:
        raise InputError(
            f"{files[0]} belongs to one photo, and {photos} were given: edit one at a time, or "
            "give a folder of maps with --map."
        )


def _edit_all(edit: Edit, found: Library) -> tuple[list[Record], list[Problem]]:
    from focuskit.batch.edits import edit_shot
    from focuskit.batch.library import Problem
    from focuskit.errors import FocuskitError

    records: list[Record] = []
    problems = list(found.problems)
    with progress_bar(edit.operation.capitalize()) as advance:
        for index, shot in enumerate(found.shots):

            def tick(share: float, before: int = index) -> None:
                if advance is not None:
                    advance(before + share, len(found.shots), len(problems))

            try:
                records.append(edit_shot(edit, shot, tick))
            except FocuskitError as exc:
                problems.append(Problem(shot.name, str(exc)))
            tick(1.0)
    return records, problems


def _flat(record: Record) -> Record:
    settings = "; ".join(f"{name}={value}" for name, value in record["settings"].items())
    return record | {
        "settings": settings,
        "notes": " ".join(record["notes"]),
        "map": "; ".join(record["map"]),
        "files": "; ".join(record["files"]),
    }
