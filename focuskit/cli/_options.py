"""Options that several commands share, each said once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Bits",
    "BitsOption",
    "CocOption",
    "CompareOption",
    "DepthOption",
    "DetectorOption",
    "DetectorsOption",
    "Device",
    "DeviceOption",
    "DryRunOption",
    "EmbeddedDepthOption",
    "FileKind",
    "FileKindOption",
    "FocusOption",
    "Format",
    "FormatOption",
    "LeaveOutDoubtfulOption",
    "LibraryArgument",
    "MapOption",
    "MaskOption",
    "MaxMegapixelsOption",
    "OptionalOutputOption",
    "OutputOption",
    "OverwriteOption",
    "PhotosArgument",
    "PreviewOption",
    "QualityOption",
    "RecipeOption",
    "SubjectOption",
    "WorkersOption",
    "recipes",
]


class Format(StrEnum):
    """How data is printed on stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class FileKind(StrEnum):
    """What edited photos are written as."""

    TIF = "tif"
    PNG = "png"
    JPG = "jpg"


class Bits(StrEnum):
    """How many bits a sample of an edited photo has."""

    EIGHT = "8"
    SIXTEEN = "16"
    FLOAT = "32"


class Device(StrEnum):
    """Where networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Use(StrEnum):
    """What culled photos are for."""

    WEB = "web"
    PRINT = "print"
    CROP = "crop"


def _set_device(device: Device) -> Device:
    # Workers are processes of their own: the environment is what they all inherit.
    if device != Device.AUTO:
        os.environ["FOCUSKIT_DEVICE"] = device.value
    return device


def _detectors(incomplete: str) -> list[str]:
    from focuskit.detect import DETECTORS

    return [row.name for row in DETECTORS if row.name.startswith(incomplete)]


def recipes(incomplete: str) -> list[str]:
    """Return the shipped recipes that a half-typed word may become."""
    from focuskit.batch.recipe import shipped_recipes

    return [name for name in shipped_recipes() if name.startswith(incomplete)]


LibraryArgument = Annotated[
    # What is wrong with one path is said with the others' results, not instead of them.
    list[str] | None,
    typer.Argument(
        metavar="LIBRARY",
        help="Folders (with everything below), photos, patterns such as '2026-*/**/*.jpg', and "
        "addresses such as s3://bucket/folder.",
        show_default=False,
    ),
]
PhotosArgument = Annotated[
    list[Path], typer.Argument(help="Photos, or folders of photos.", readable=False)
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="What stdout carries.")]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", help="Folder for results; outside the library.")
]
OptionalOutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder for results of recipes that cull.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace results that are there already.")
]
LeaveOutDoubtfulOption = Annotated[
    bool,
    typer.Option(
        "--leave-out-doubtful",
        help="Leave out photos whose masks look inverted; they are named.",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Print what would be done with which photos, and do nothing."),
]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector", "-d", help="Blur detector; see `focuskit names`.", autocompletion=_detectors
    ),
]
DetectorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--detector",
        "-d",
        help="Blur detector, as often as needed; see `focuskit names`.",
        autocompletion=_detectors,
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        callback=_set_device,
        help="Where networks and edits run; default: FOCUSKIT_DEVICE, or the CPU.",
    ),
]
RecipeOption = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="Where the lines are drawn: portrait, wildlife, landscape, event, macro (see "
        "`focuskit names`), or a TOML file such as `focuskit cull calibrate` writes.",
        autocompletion=recipes,
    ),
]
SubjectOption = Annotated[
    str | None,
    typer.Option(
        "--subject",
        metavar="X0,Y0,X1,Y1",
        help="Box around what every photo is about, in pixels or shares such as 40%,30%,60%,70%; "
        "default: the camera's AF point, eyes and faces, else what is in focus.",
    ),
]
UseOption = Annotated[
    Use | None,
    typer.Option(
        help="What the photos are for: web (2048 px) forgives more blur, crop (every pixel counts) "
        "less than print; default: as the recipe says.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", "-j", min=1, help="Photos at once; default: all cores.")
]
MaxMegapixelsOption = Annotated[
    float | None,
    typer.Option(
        "--max-megapixels",
        min=0.001,
        help="Refuse larger photos; default: 250, or FOCUSKIT_MAX_MEGAPIXELS.",
    ),
]
FileKindOption = Annotated[
    FileKind | None,
    typer.Option(
        "--as",
        help="Format of results; default: jpg for JPEG photos and previews, else 16-bit tif, "
        "because smooth blur shows bands in 8 bits.",
    ),
]
BitsOption = Annotated[
    Bits | None,
    typer.Option("--bits", help="Per sample; 32 in tif only; default: 8 in jpg, else 16."),
]
QualityOption = Annotated[int, typer.Option("--quality", min=1, max=100, help="Of jpg.")]
MapOption = Annotated[
    Path | None,
    typer.Option(
        "--map",
        help="Use this map, white = in focus: X-map.png of `focuskit detect`, corrected by hand or "
        "not, a painted grey picture, or the folder of `focuskit detect`. X-coc.png beside it is "
        "used too; without, the detector says how large the blur is.",
    ),
]
CocOption = Annotated[
    Path | None,
    typer.Option(
        "--coc",
        help="Circle of confusion: X-coc.png of `focuskit detect` (16 bit, 64 steps per pixel), or "
        "a floating-point tif in pixels.",
    ),
]
DepthOption = Annotated[
    Path | None,
    typer.Option(
        "--depth",
        help="Grey picture, larger = farther: says what is behind and what before the plane of "
        "focus, and without --map and --coc by how much. Floating point: distances; in mm or m "
        "they give the blur by the lens itself where EXIF holds focal length, f-number, focus "
        "distance and sensor.",
    ),
]
EmbeddedDepthOption = Annotated[
    bool,
    typer.Option(
        "--embedded-depth/--no-embedded-depth",
        help="Use the depth that phones store inside HEIC photos, where --depth gives no other.",
    ),
]
FocusOption = Annotated[
    str | None,
    typer.Option(
        "--focus",
        metavar="X,Y",
        help="A point that is in focus; default: the map's. Without a depth, what is as sharp "
        "there or sharper stays, and the rest is blurred by what it is blurred beyond that.",
    ),
]
MaskOption = Annotated[
    Path | None, typer.Option("--mask", help="Protect: white stays as it is, grey in part.")
]
PreviewOption = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="Quickly, on the photo made at most 1024 px long; results are called -preview.",
    ),
]
CompareOption = Annotated[
    bool,
    typer.Option("--compare", help="Also write before and after side by side, with 100 % crops."),
]
