"""What a person gives along with a photo: its map, its blur, its depth, and what to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from focuskit.batch.depths import placed_by_depth
from focuskit.batch.fitting import (
    check_aspect,
    coc_px_in,
    fitted,
    map_of_coc,
    shares_in,
)
from focuskit.batch.library import Shot
from focuskit.batch.places import Spot
from focuskit.blurmap import BlurMap
from focuskit.errors import InputError
from focuskit.io import read_gray
from focuskit.photo import Photo

__all__ = ["Guides", "Told"]

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Told:
    """A blur map and where it came from.

    Attributes:
        blur_map: at the size of the photo that is worked on.
        sources: files, and "detector" where one was asked.
        painted: whether a person may have said what is in focus: the map is a file's.
        measured: whether its circle of confusion is a file's too.
    """

    blur_map: BlurMap
    sources: tuple[str, ...]
    painted: bool
    measured: bool


@dataclass(frozen=True, slots=True)
class Guides:
    """Files that say what a detector would otherwise guess. Each may be of another size.

    Attributes:
        map: grey, white = in focus; or a folder with the files of `focuskit detect`. What lies
            beside X-map.png (or X.png) is taken too: X-coc.png and X-confidence.png.
        coc: circle of confusion: 16 bit with 64 steps per pixel, or floating point in pixels, both
            of a picture of the file's own size. What lies beside X-coc.png is taken too.
        depth: grey, larger = farther; see `placed_by_depth`.
        focus: what is in focus, for the depth.
        mask: grey, white = may not change.
        max_megapixels: larger files are refused; None for the default of `read_gray`.
    """

    map: Path | None = None
    coc: Path | None = None
    depth: Path | None = None
    focus: Spot | None = None
    mask: Path | None = None
    max_megapixels: float | None = None

    @property
    def of_one_photo(self) -> tuple[Path, ...]:
        """The files that belong to one photo and can serve no other."""
        given = (self.map, self.coc, self.depth, self.mask)
        return tuple(path for path in given if path is not None and not path.is_dir())

    def tell(self, shot: Shot, photo: Photo, detect: Callable[[Photo], BlurMap]) -> Told:
        """Return the photo's map from the files, and from a detector what they leave open.

        Args:
            shot: whose name the files in a folder of maps have.
            photo: at the size that is worked on.
            detect: asked unless the circle of confusion is given.

        Raises:
            FocuskitError: a file cannot be read or belongs to another picture, or `detect` fails.
        """
        files = self._files(shot)
        sources = tuple(str(path) for path in files.values())
        if "coc" in files:
            found = self._read_coc(files["coc"], photo)
        else:
            found = detect(photo)
            sources = (*sources, "detector")
        if "map" in files:
            found = replace(found, in_focus_probability=self._read("map", files["map"], photo))
        if "confidence" in files:
            found = replace(found, confidence=self._read("confidence", files["confidence"], photo))
        if self.depth is not None:
            found = self._placed(found, files, photo)
            sources = (*sources, str(self.depth))
        return Told(found, sources, painted="map" in files, measured="coc" in files)

    def protect(self, photo: Photo) -> Map | None:
        """Return the mask at the photo's size, (H, W) in [0, 1]; None where there is none.

        Raises:
            FocuskitError: it cannot be read, belongs to another picture, or protects everything.
        """
        if self.mask is None:
            return None
        mask = self._read("mask", self.mask, photo)
        if mask.min() >= 1:
            raise InputError(
                f"The mask {self.mask} is white everywhere, so that nothing may change: paint "
                "white only what shall stay as it is."
            )
        return mask

    def _files(self, shot: Shot) -> dict[str, Path]:
        """Return the files for one shot by what they hold: map, coc, confidence."""
        given = self.map
        if given is not None and given.is_dir():
            given = given / f"{shot.name}-map.png"
            if not given.is_file():
                raise InputError(
                    f"There is no map {given} for this photo: write it with focuskit detect "
                    f"--output {self.map}, from the same paths."
                )
        files: dict[str, Path] = {}
        for kind, path in (("map", given), ("coc", self.coc)):
            if path is not None:
                files = _beside(path, kind) | files | {kind: path}
        # A confidence says how far the circle of confusion beside it is to be trusted.
        kinds = ("map", "coc", "confidence") if "coc" in files else ("map",)
        return {kind: files[kind] for kind in kinds if kind in files}

    def _read_coc(self, path: Path, photo: Photo) -> BlurMap:
        found = map_of_coc(coc_px_in(path, self._gray(path)))
        check_aspect("circle of confusion", path, found.width, found.height, photo)
        return found.resized(photo.height, photo.width)

    def _read(self, what: str, path: Path, photo: Photo) -> Map:
        return fitted(what, path, shares_in(what, path, self._gray(path)), photo)

    def _placed(self, found: BlurMap, files: dict[str, Path], photo: Photo) -> BlurMap:
        path = self.depth
        if path is None:
            return found
        values = self._gray(path)
        spot = None if self.focus is None else self.focus.on(photo)
        depth = fitted("depth", path, values.astype(np.float32), photo)
        whole = np.issubdtype(values.dtype, np.integer)
        placed = placed_by_depth(found, depth, spot, of_steps=whole, name=str(path))
        # What was measured or painted for this very photo stays, and takes the side of the depth.
        if "coc" in files:
            placed = replace(placed, coc_diameter_px=found.coc_diameter_px)
            placed = replace(placed, confidence=found.confidence)
        if "coc" in files or "map" in files:
            placed = replace(placed, in_focus_probability=found.in_focus_probability)
        return placed

    def _gray(self, path: Path) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]:
        return read_gray(path, max_megapixels=self.max_megapixels)


def _beside(path: Path, kind: str) -> dict[str, Path]:
    """Return the other files of the same detection that lie beside one of them."""
    ending = f"-{kind}.png"
    # Photos that are PNGs themselves give x.png-map.png: one ending goes, not two.
    stem = path.name.removesuffix(ending) if path.name.endswith(ending) else path.stem
    others = {each: path.with_name(f"{stem}-{each}.png") for each in ("map", "coc", "confidence")}
    return {each: other for each, other in others.items() if other.is_file() and other != path}
