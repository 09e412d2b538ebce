"""`focuskit doctor`: what was found on this machine."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

import typer

from focuskit.cli import _exit
from focuskit.cli._options import Format, FormatOption
from focuskit.cli._output import print_rows, say

__all__ = ["doctor"]

Row = dict[str, str]

_PACKAGES = (
    "focuskit",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "rawpy",
    "exifread",
    "pillow-heif",
    "platformdirs",
    "tifffile",
    "torch",
    "onnxruntime",
    "safetensors",
    "dask",
    "distributed",
    "typer",
    "jinja2",
)
_PROGRAMS = (
    ("exiftool", ("exiftool", "-ver"), "optional"),
    ("GIMP", ("gimp", "--version"), "optional"),
)
_PROGRAM_TIMEOUT_S = 20


def doctor(output_format: FormatOption = Format.TABLE) -> None:
    """Show the versions, devices, codecs, optional programs and weights that were found."""
    rows = [*_versions(), *_devices(), *_codecs(), *_programs(), _gimp_plug_in(), *_weights()]
    print_rows(rows, rows, ("what", "name", "state", "detail"), output_format)
    missing = [row["name"] for row in rows if row["state"] == "missing"]
    if missing:
        say(f"Missing: {', '.join(missing)}. Install focuskit again: pip install --force-reinstall")
        raise typer.Exit(_exit.FATAL)


def _row(what: str, name: str, state: str, detail: str) -> Row:
    return {"what": what, "name": name, "state": state, "detail": detail}


def _versions() -> list[Row]:
    rows = [_row("version", "Python", "ok", f"{platform.python_version()}, {platform.platform()}")]
    for package in _PACKAGES:
        try:
            rows.append(_row("version", package, "ok", version(package)))
        except PackageNotFoundError:
            # OpenCV with windows is another package with the same module.
            other = package.removesuffix("-headless")
            try:
                rows.append(_row("version", other, "ok", version(other)))
            except PackageNotFoundError:
                rows.append(_row("version", package, "missing", "not installed"))
    return rows


def _devices() -> list[Row]:
    from focuskit.batch.crew import cores

    rows = [_row("device", "CPU", "ok", f"{cores()} cores, {platform.machine()}")]
    try:
        import torch
    except (ImportError, OSError) as exc:
        return [*rows, _row("device", "torch", "missing", f"cannot be loaded: {exc}")]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            detail = f"{torch.cuda.get_device_properties(index).total_memory / 2**30:.0f} GiB"
            name = torch.cuda.get_device_name(index)
            rows.append(_row("device", f"cuda:{index}", "ok", f"{name}, {detail}"))
    else:
        rows.append(_row("device", "CUDA", "absent", "no CUDA device; the CPU is used"))
    if torch.backends.mps.is_available():
        rows.append(_row("device", "mps", "ok", "Apple GPU"))
    return rows


def _codecs() -> list[Row]:
    import cv2
    import pillow_heif
    import rawpy
    from PIL import features

    rows = []
    for name, feature in (
        ("JPEG", "jpg"),
        ("WebP", "webp"),
        ("AVIF", "avif"),
        ("ICC", "littlecms2"),
    ):
        found = features.check(feature)
        detail = features.version(feature) if found else "Pillow was built without it"
        rows.append(_row("codec", name, "ok" if found else "absent", f"{detail}"))
    rows.append(_row("codec", "HEIC", "ok", f"libheif {pillow_heif.libheif_version()}"))
    libraw = ".".join(str(part) for part in rawpy.libraw_version)
    rows.append(_row("codec", "RAW", "ok", f"LibRaw {libraw}"))
    build = cv2.getBuildInformation()
    turbo = "libjpeg-turbo" if "turbo" in build.lower() else "libjpeg"
    rows.append(_row("codec", "JPEG (OpenCV)", "ok", turbo))
    return rows


def _programs() -> list[Row]:
    rows = []
    for name, command, note in _PROGRAMS:
        path = shutil.which(command[0])
        if path is None:
            rows.append(_row("program", name, "absent", f"{note}; not on PATH"))
            continue
        try:
            answer = subprocess.run(
                [path, *command[1:]],
                capture_output=True,
                text=True,
                timeout=_PROGRAM_TIMEOUT_S,
                check=True,
            )
            lines = answer.stdout.strip().splitlines()
            rows.append(_row("program", name, "ok", lines[0] if lines else path))
        except (OSError, subprocess.SubprocessError) as exc:
            rows.append(_row("program", name, "broken", f"{path}: {exc}"))
    return rows


def _gimp_plug_in() -> Row:
    from focuskit.bridge.gimp_files import State, inspect
    from focuskit.bridge.gimp_profiles import find_profiles

    profiles = find_profiles()
    having = [each.title for each in profiles if inspect(each).state is State.OURS]
    if having:
        detail = f"in {', '.join(having)}; `focuskit gimp doctor` tests it"
        return _row("program", "GIMP plug-in", "ok", detail)
    why = "`focuskit gimp install` puts it there" if profiles else "no profile of GIMP 3"
    return _row("program", "GIMP plug-in", "absent", f"optional; {why}")


def _weights() -> list[Row]:
    from focuskit.detect.weights import find_weights, weight_names
    from focuskit.errors import WeightsError

    rows = []
    try:
        for name in weight_names():
            size = sum(path.stat().st_size for path in find_weights(name).files.values())
            rows.append(_row("weights", name, "ok", f"{size / 1e6:.1f} MB, checksums as shipped"))
    except WeightsError as exc:
        rows.append(_row("weights", "-", "missing", str(exc)))
    return rows
