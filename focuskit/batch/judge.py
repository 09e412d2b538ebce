"""The whole way of one shot: decode once, detect once, measure at 100 %."""

from __future__ import annotations

import hashlib
import math
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from focuskit.batch.keys import key_of
from focuskit.batch.library import Shot
from focuskit.batch.looking import measure_best
from focuskit.batch.partners import strangers
from focuskit.batch.pictures import draw_box, in_srgb, jpeg, overlay, shrunk, to_display
from focuskit.batch.places import Box
from focuskit.batch.versions import networks_of
from focuskit.blurmap import BlurMap
from focuskit.cull import Measures
from focuskit.cull.measures import Moved
from focuskit.cull.sets import Fingerprint, fingerprint
from focuskit.cull.views import View, view_of
from focuskit.detect import DETECTORS, LIBRARY_DETECTOR, detect_at, open_detector
from focuskit.detect.motion import MOTION_NAME, motion_logit
from focuskit.detect.runtime import open_network
from focuskit.errors import InputError, OutputError
from focuskit.io import RAW_SUFFIXES, Frame, open_frame
from focuskit.io.marks import Marks, read_embedded_marks
from focuskit.photo import DecodedFrom, Exif, Photo

__all__ = ["Judge", "Judgement"]

# Large enough that a circle of confusion which matters on a print shows in the map.
_WORKING_EDGE_PX = 1500
# A quarter of the working size, which whole-number averaging reaches at a third of the cost.
_THUMBNAIL_PX = 375
# A smaller embedded preview hides the blur that a print would show.
_LEAST_EDGE_PX = 1600
_PICTURES = ("photo", "overlay", "crop")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found out about one shot; small enough to travel, without pixels.

    Attributes:
        shot: which.
        measures: its numbers, in pixels of the decoded picture.
        fingerprint: what grouping needs.
        box: what the judged box shows, tiny.
        exif: what the camera wrote, without the EXIF block itself.
        width, height: size of the decoded picture in pixels, upright.
        scale: that size / full sensor size.
        decoded_from: which picture in the file was judged.
        picture: stem of the thumbnail files below the folder of pictures, or None.
        unreadable: what is wrong with files of the shot that came before the one judged.
        strangers: why files of the shot seem to be of another one.
        marks: what people said inside each of its files, in their order.
        compared: numbers taken where all frames of its burst show the same thing, or None.
        not_compared: why there are none, if the burst's other frames have them.
    """

    shot: Shot
    measures: Measures
    fingerprint: Fingerprint
    box: View
    exif: Exif
    width: int
    height: int
    scale: float
    decoded_from: DecodedFrom
    picture: str | None = None
    unreadable: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    marks: tuple[Marks, ...] = ()
    compared: Measures | None = None
    not_compared: str = ""

    @property
    def diagonal_px(self) -> float:
        """Diagonal of the decoded picture."""
        return math.hypot(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Judge:
    """Measures one shot after the other; picklable, so that workers can have a copy.

    Attributes:
        detector: name in DETECTORS.
        max_megapixels: photos above this are refused; None for the default of `open_frame`.
        pictures: folder for thumbnail, overlay and crop of each shot; None for none.
        subject: what every photo is about; None looks for it.
    """

    detector: str = LIBRARY_DETECTOR
    max_megapixels: float | None = None
    pictures: Path | None = None
    subject: Box | None = None

    def prepare(self) -> None:
        """Load the detector, once for all shots.

        Raises:
            WeightsError, DeviceError: its network cannot be run.
        """
        open_detector(self.detector)
        if self.moved is not None:
            open_network(MOTION_NAME)

    @property
    def moved(self) -> Moved | None:
        """What tells motion: a network, unless the detector does without any."""
        return motion_logit if networks_of(self.detector) else None

    def __call__(self, shot: Shot) -> Judgement:
        """Return what was found out about a shot.

        Raises:
            FocuskitError: its file cannot be read, or a picture of it cannot be written.
        """
        frame, unreadable = self.open(shot)
        working = frame.photo(_WORKING_EDGE_PX)
        photo = shrunk(working, _THUMBNAIL_PX)
        detector = DETECTORS.get(self.detector)
        blur_map = detect_at(detector, working, photo.height, photo.width)
        measures, crop = measure_best(frame, photo, blur_map, self.subject, moved=self.moved)
        picture = None
        if self.pictures is not None:
            picture = _save_pictures(self.pictures, shot, frame, photo, blur_map, measures, crop)
        return Judgement(
            shot=shot,
            measures=measures,
            fingerprint=fingerprint(photo, fine=working, name=shot.name),
            box=view_of(crop),
            exif=_light(photo.exif),
            width=frame.width,
            height=frame.height,
            scale=frame.scale,
            decoded_from=frame.decoded_from,
            picture=picture,
            unreadable=unreadable,
            marks=tuple(map(read_embedded_marks, shot.files)),
            strangers=strangers(shot, photo),
        )

    def pictured(self, judgement: Judgement) -> bool:
        """Tell whether a judgement's pictures lie where this judge would put them."""
        if self.pictures is None:
            return True
        stem = judgement.picture
        names = (f"{stem}-{kind}.jpg" for kind in _PICTURES)
        return stem is not None and all((self.pictures / name).exists() for name in names)

    def open(self, shot: Shot) -> tuple[Frame, tuple[str, ...]]:
        """Open the first file of the shot that can be read, and tell what is wrong with others.

        Raises:
            InputError: none can be read.
        """
        troubles: list[InputError] = []
        for file in shot.files:
            raw = file.suffix.lower() in RAW_SUFFIXES
            # A RAW's preview saves the demosaic; of the rest every pixel is wanted for the crop.
            least = _LEAST_EDGE_PX if raw else None
            try:
                frame = open_frame(file, min_long_edge=least, max_megapixels=self.max_megapixels)
            except InputError as exc:
                troubles.append(exc)
            else:
                return frame, tuple(str(trouble) for trouble in troubles)
        if len(troubles) == 1:
            raise troubles[0]
        raise InputError(" ".join(str(trouble) for trouble in troubles))


def _light(exif: Exif) -> Exif:
    return replace(exif, block=None)


def _picture_stem(shot: Shot) -> str:
    # By content: names may clash between folders and hold anything, and files move.
    text = " ".join(f"{each.bytes} {each.ends}" for each in key_of(shot))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _save_pictures(
    folder: Path,
    shot: Shot,
    frame: Frame,
    photo: Photo,
    blur_map: BlurMap,
    measures: Measures,
    crop: Photo,
) -> str:
    stem = _picture_stem(shot)
    region = measures.region
    box = (
        region.x / frame.width,
        region.y / frame.height,
        region.width / frame.width,
        region.height / frame.height,
    )
    thumbnail = to_display(in_srgb(photo))
    boxed = draw_box(overlay(thumbnail, blur_map), *box)
    shown = (thumbnail, boxed, to_display(in_srgb(crop)))
    try:
        for kind, picture in zip(_PICTURES, shown, strict=True):
            _put(folder / f"{stem}-{kind}.jpg", jpeg(picture))
    except OSError as exc:
        raise OutputError(
            f"A picture of {shot.name} could not be written to {folder} ({exc.strerror}); "
            "free some space or choose another --output."
        ) from exc
    return stem


def _put(path: Path, data: bytes) -> None:
    # A copy of the photo may be looked at by another worker, and either may be ended any time.
    part = path.with_suffix(f".{secrets.token_hex(4)}.part")
    part.write_bytes(data)
    part.replace(path)
