"""How the files beside a photo are called, and whose they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from focuskit.io.source import PHOTO_SUFFIXES, RAW_SUFFIXES

__all__ = ["SidecarNaming", "shared_sidecar", "sidecars_of", "sidecars_to_write"]

_DUPLICATE = re.compile(r"_\d\d$")
_COMPANIONS = (".xmp", ".pp3", ".dop")


class SidecarNaming(StrEnum):
    """How sidecars are called: IMG.xmp (Adobe), IMG.CR2.xmp (darktable, digiKam), or both."""

    AUTO = "auto"
    ADOBE = "adobe"
    DARKTABLE = "darktable"
    BOTH = "both"


def sidecars_of(files: Sequence[Path], names: Sequence[str]) -> list[Path]:
    """Return the files that belong to the photos of one shot and travel with them.

    Args:
        files: the photos, all in one folder.
        names: everything in that folder.

    Returns:
        IMG.xmp if no other photo could own it, IMG.CR2.xmp and the like of RawTherapee and DxO,
        and darktable's IMG_01.CR2.xmp of further versions.
    """
    folder = files[0].parent
    photos = {name.casefold() for name in names if Path(name).suffix.lower() in PHOTO_SUFFIXES}
    own = {file.name.casefold() for file in files}
    full = {name + suffix for name in own for suffix in _COMPANIONS}
    if _owns_stem(files, names):
        full |= {Path(name).stem + ".xmp" for name in own}
    found = []
    for name in names:
        low = name.casefold()
        stem, suffix = os.path.splitext(low.removesuffix(".xmp"))
        version = low.endswith(".xmp") and _DUPLICATE.search(stem) and stem[:-3] + suffix in own
        if low in full or (version and stem + suffix not in photos):
            found.append(folder / name)
    return sorted(found)


def sidecars_to_write(
    files: Sequence[Path], names: Sequence[str], naming: SidecarNaming
) -> list[Path]:
    """Return where a note about one shot goes.

    Args:
        files: the photos of the shot, all in one folder.
        names: everything in that folder.
        naming: AUTO takes the kinds that exist, else Adobe's for a RAW with all that belongs to it,
            and darktable's for other photos, beside which Adobe's programs read no sidecar.
    """
    there = {name.casefold(): name for name in names}
    raws = [file for file in files if file.suffix.lower() in RAW_SUFFIXES]
    full = [file.with_name(file.name + ".xmp") for file in files]
    short = [(raws or list(files))[0].with_suffix(".xmp")]
    if not _owns_stem(files, names):
        # IMG.xmp would be taken for the other photo's.
        short = full
    kinds = {
        SidecarNaming.ADOBE: short,
        SidecarNaming.DARKTABLE: full,
        SidecarNaming.BOTH: [*short, *full],
    }
    chosen = kinds.get(naming)
    if chosen is None:
        chosen = [
            path
            for kind in (short, full)
            if any(path.name.casefold() in there for path in kind)
            for path in kind
        ]
    spelled = [path.with_name(there.get(path.name.casefold(), path.name)) for path in chosen]
    return list(dict.fromkeys(spelled or (short if raws else full)))


def shared_sidecar(files: Sequence[Path], names: Sequence[str]) -> Path | None:
    """Return an IMG.xmp that may be this shot's or another's, and nobody can tell whose.

    Args:
        files: the photos of the shot, all in one folder.
        names: everything in that folder.
    """
    others = _namesakes(files, names)
    mine, theirs = _any_raw(file.name for file in files), _any_raw(others)
    if not others or mine != theirs:
        return None
    wanted = f"{files[0].stem}.xmp".casefold()
    found = next((name for name in names if name.casefold() == wanted), None)
    return files[0].with_name(found) if found else None


def _owns_stem(files: Sequence[Path], names: Sequence[str]) -> bool:
    """Whether IMG.xmp is this shot's: of several photos of one name, a RAW's before others'."""
    others = _namesakes(files, names)
    return not others or (_any_raw(file.name for file in files) and not _any_raw(others))


def _namesakes(files: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Return the other photos whose sidecar might be called the same."""
    own, stem = {file.name for file in files}, files[0].stem.casefold()
    return [
        name
        for name in names
        if name not in own
        and Path(name).stem.casefold() == stem
        and Path(name).suffix.lower() in PHOTO_SUFFIXES
    ]


def _any_raw(names: Iterable[str]) -> bool:
    return any(Path(name).suffix.lower() in RAW_SUFFIXES for name in names)
