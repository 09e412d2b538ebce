"""Options that several commands share, each said once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DetectorOption",
    "DetectorsOption",
    "Device",
    "DeviceOption",
    "Format",
    "FormatOption",
    "LibraryArgument",
    "MaxMegapixelsOption",
    "OptionalOutputOption",
    "OutputOption",
    "OverwriteOption",
    "PhotosArgument",
    "WorkersOption",
]


class Format(StrEnum):
    """How data is printed on stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Device(StrEnum):
    """Where networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def _set_device(device: Device) -> Device:
    # Workers are processes of their own: the environment is what they all inherit.
    if device != Device.AUTO:
        os.environ["FOCUSKIT_DEVICE"] = device.value
    return device


def _detectors(incomplete: str) -> list[str]:
    from focuskit.detect import DETECTORS

    return [row.name for row in DETECTORS if row.name.startswith(incomplete)]


LibraryArgument = Annotated[
    list[Path],
    # What is wrong with one path is said with the others' results, not instead of them.
    typer.Argument(help="Folders (with everything below) and photos.", readable=False),
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
        help="Where a detector's network runs; default: FOCUSKIT_DEVICE, or the CPU.",
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
