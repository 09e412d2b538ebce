"""What a person gives along with a photo: its map, its blur, its depth, and what to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from focuskit.batch.depths import map_by_lens, placed_by_depth
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
from focuskit.errors import FocuskitError, InputError, ShapeError
from focuskit.io import Depth, read_embedded_depth, read_gray
from focuskit.photo import Photo

__all__ = ["EMBEDDED_DEPTH", "Guides", "Told"]

EMBEDDED_DEPTH = "embedded depth"
"""What records call the depth inside a photo."""

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Told:
    """A blur map and where it came from.

    Attributes:
        blur_map: at the size of the photo that is worked on.
        sources: files, "embedded depth", "thin lens" where EXIF and distances gave the circle of
            confusion, and "detector" where one was asked.
        painted: whether a person may have said what is in focus: the map is a file's.
        measured: whether its circle of confusion is a file's too.
        kept: (x, y) of what a person wants sharp where no depth says what lies off it, in pixels.
        notes: sentences for the person who asked.
    """

    blur_map: BlurMap
    sources: tuple[str, ...]
    painted: bool
    measured: bool
    kept: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guides:
    """Files that say what a detector would otherwise guess. Each may be of another size.

    Attributes:
        map: grey, white = in focus; or a folder with the files of `focuskit detect`. What lies
            beside X-map.png (or X.png) is taken too: X-coc.png and X-confidence.png.
        coc: circle of confusion: 16 bit with 64 steps per pixel, or floating point in pixels, both
            of a picture of the file's own size. What lies beside X-coc.png is taken too.
        depth: grey, larger = farther; see `placed_by_depth` and `map_by_lens`.
        embedded: whether the depth inside a photo is used where no other is given.
        focus: what is in focus.
        mask: grey, white = may not change.
        max_megapixels: larger files are refused; None for the default of `read_gray`.
    """

    map: Path | None = None
    coc: Path | None = None
    depth: Path | None = None
    embedded: bool = True
    focus: Spot | None = None
    mask: Path | None = None
    max_megapixels: float | None = None

    @property
    def of_one_photo(self) -> tuple[Path, ...]:
        """The files that belong to one photo and can serve no other."""
        given = (self.map, self.coc, self.depth, self.mask)
        return tuple(path for path in given if path is not None and not path.is_dir())

    def files_of(self, shot: Shot) -> tuple[Path, ...]:
        """Return the files that are looked at for a shot besides its own."""
        try:
            found = tuple(self._files(shot).values())
        except InputError:
            # Said when the shot is worked on.
            found = ()
        return (*found, *(path for path in (self.depth, self.mask) if path is not None))

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
        spot = None if self.focus is None else self.focus.on(photo)
        depth, name, notes = self._depth(shot, photo)
        by_lens = None if depth is None else map_by_lens(photo, depth, spot)
        sources = [str(path) for path in files.values()]
        if "coc" in files:
            found = self._read_coc(files["coc"], photo)
        elif by_lens is not None:
            found = by_lens
        else:
            found = detect(photo)
            sources.append("detector")
        if "map" in files:
            found = replace(found, in_focus_probability=self._read("map", files["map"], photo))
        if "confidence" in files:
            found = replace(found, confidence=self._read("confidence", files["confidence"], photo))
        if depth is not None:
            camera = photo.exif.focus_point
            if camera is not None:
                camera = (camera[0] * (photo.width - 1), camera[1] * (photo.height - 1))
            placed = by_lens or placed_by_depth(found, depth, spot, camera=camera, name=name)
            found = _kept_from(found, placed, files)
            # What is in the photo itself was there first.
            sources.insert(0 if self.depth is None else len(sources), name)
            sources += ["thin lens"] if by_lens is not None else []
        return Told(
            found,
            tuple(sources),
            painted="map" in files,
            measured="coc" in files,
            kept=spot if depth is None else None,
            notes=notes,
        )

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

    def _depth(self, shot: Shot, photo: Photo) -> tuple[Depth | None, str, tuple[str, ...]]:
        """Return the depth at the photo's size, what it is called, and what there is to say."""
        if self.depth is not None:
            values = self._gray(self.depth)
            whole = np.issubdtype(values.dtype, np.integer)
            sized = fitted("depth", self.depth, values.astype(np.float32), photo)
            return Depth(sized, of_steps=bool(whole)), str(self.depth), ()
        if not self.embedded:
            return None, "", ()
        # The photo itself could be read: its depth is a help, and no condition.
        try:
            found = read_embedded_depth(shot.judged, max_megapixels=self.max_megapixels)
        except FocuskitError as exc:
            return None, "", (f"{exc} The photo was edited without its depth.",)
        if found is None:
            return None, "", ()
        try:
            sized = fitted("depth inside", shot.judged, found.values, photo)
        except ShapeError:
            height, width = found.values.shape
            note = (
                f"The depth inside the photo has {width}×{height} pixels and does not fit its "
                f"{photo.width}×{photo.height}: it was left out; --depth takes one from a file."
            )
            return None, "", (note,)
        return Depth(sized, of_steps=found.of_steps), EMBEDDED_DEPTH, ()

    def _gray(self, path: Path) -> NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]:
        return read_gray(path, max_megapixels=self.max_megapixels)


def _kept_from(found: BlurMap, placed: BlurMap, files: dict[str, Path]) -> BlurMap:
    """Return what a depth says, without what was measured or painted for this very photo."""
    if "coc" in files:
        placed = replace(placed, coc_diameter_px=found.coc_diameter_px, confidence=found.confidence)
    if "coc" in files or "map" in files:
        placed = replace(placed, in_focus_probability=found.in_focus_probability)
    return placed


def _beside(path: Path, kind: str) -> dict[str, Path]:
    """Return the other files of the same detection that lie beside one of them."""
    ending = f"-{kind}.png"
    # Photos that are PNGs themselves give x.png-map.png: one ending goes, not two.
    stem = path.name.removesuffix(ending) if path.name.endswith(ending) else path.stem
    others = {each: path.with_name(f"{stem}-{each}.png") for each in ("map", "coc", "confidence")}
    return {each: other for each, other in others.items() if other.is_file() and other != path}
