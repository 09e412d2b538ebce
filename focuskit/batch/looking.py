"""Where to look on a shot, and what is found there at 100 %."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from focuskit.batch.models import model_path
from focuskit.batch.pictures import to_display
from focuskit.batch.places import Box
from focuskit.blurmap import BlurMap
from focuskit.color import encoded_gray
from focuskit.cull import SCORERS, Measures, gather, measure
from focuskit.cull.aim import Subject, by_camera, by_faces, regions_on
from focuskit.cull.beside import Beside, tell_side
from focuskit.cull.faces import find_faces
from focuskit.cull.measures import Moved
from focuskit.cull.subject import Region, choose_regions
from focuskit.io import Frame
from focuskit.io.exiftool import ask_focus, exiftool_version
from focuskit.optics.edges import join_edges
from focuskit.photo import Photo

__all__ = ["find_subject", "looking_version", "measure_best"]

# A box holds one surface rather than subject and background, and still enough edges to measure.
_BOX_SHARE, _SMALLEST_BOX_PX, _LARGEST_BOX_PX = 0.35, 144, 320
# A subject with fewer edges cannot be judged; what else is sharp stands for it.
_LEAST_EDGES = 40
# Something else is clearly sharper where the subject's edges are this much wider.
_CLEARLY = 1.5


def looking_version() -> str:
    """Return what subjects are found with on this machine, because measures depend on it.

    Raises:
        WeightsError: the fetched model is damaged.
    """
    faces = "cascades" if model_path("yunet") is None else "yunet"
    exiftool = exiftool_version()
    return faces if exiftool is None else f"{faces} exiftool-{exiftool}"


def find_subject(frame: Frame, photo: Photo, given: Box | None = None) -> Subject | None:
    """Return what a photo is about: as given, as the camera focused, or its faces.

    Args:
        frame: the photo at 100 %.
        photo: the same, small.
        given: what a person says.

    Raises:
        RangeError: the box does not lie on this photo.
        WeightsError: faces cannot be looked for.
    """
    width, height = round(frame.width / frame.scale), round(frame.height / frame.scale)
    if given is not None:
        x0, y0, x1, y1 = given.within(width, height)
        return Subject("given", ((x0 / width, y0 / height, x1 / width, y1 / height),), sure=True)
    camera = by_camera(ask_focus(photo.exif, photo.source, (width, height)))
    if camera is not None:
        return camera
    faces = find_faces(to_display(photo), model_path("yunet"))
    return by_faces(faces, photo.width / photo.height)


def measure_best(
    frame: Frame,
    photo: Photo,
    blur_map: BlurMap,
    given: Box | None = None,
    *,
    moved: Moved | None = None,
) -> tuple[Measures, Photo]:
    """Measure the subject if it is known and can be judged, else the sharpest of the frame.

    Args:
        frame: the photo at 100 %.
        photo: the same, small.
        blur_map: its map, of the size of `photo`.
        given: what a person says the photo is about.
        moved: tells motion, as in `gather`.

    Returns:
        The measures and what is in their box.
    """
    side = round(min(frame.width, frame.height) * _BOX_SHARE)
    size = min(max(side, _SMALLEST_BOX_PX), _LARGEST_BOX_PX)
    detail = _detail(photo)
    subject = find_subject(frame, photo, given)
    everywhere = choose_regions(
        blur_map,
        frame_width=frame.width,
        frame_height=frame.height,
        size_px=size,
        detail=detail,
    )
    boxes: list[Region] = []
    if subject is not None:
        boxes = regions_on(
            subject,
            frame_width=frame.width,
            frame_height=frame.height,
            size_px=size,
            detail=detail,
        )
    crops = [(region, _crop(frame, region)) for region in (*boxes, *everywhere)]
    evidence = gather(photo, blur_map, crops, moved=moved)
    on_it, anywhere = evidence[: len(boxes)], evidence[len(boxes) :]
    # Faces have too few directions of edges to tell motion by; the frame's own boxes do that.
    motion = join_edges([each.edges for each in (evidence if given else anywhere)])
    on_it = [replace(each, all_edges=motion) for each in on_it]
    anywhere = [replace(each, all_edges=motion) for each in anywhere]
    scorers = {row.name: SCORERS.get(row.name) for row in SCORERS}
    measures = measure(anywhere, scorers)
    if subject is not None:
        measures = _judged(subject, measure(on_it, scorers), measures, blur_map, photo)
    return measures, dict(crops)[measures.region]


def _judged(
    subject: Subject, on_it: Measures, anywhere: Measures, blur_map: BlurMap, photo: Photo
) -> Measures:
    width, elsewhere = on_it["edge_width"], anywhere["edge_width"]
    blind = math.isnan(width) or on_it["edge_count"] < _LEAST_EDGES
    if blind and subject.kind != "given":
        return anywhere
    if blind or math.isnan(elsewhere) or width <= elsewhere:
        return on_it
    if not subject.sure and width > elsewhere * _CLEARLY:
        return anywhere
    side, hint = tell_side(subject, blur_map, photo.exif, photo.width / photo.height)
    return replace(on_it, beside=Beside(anywhere.region, elsewhere, side, hint))


def _detail(photo: Photo) -> NDArray[np.float32]:
    second = cv2.Laplacian(encoded_gray(photo), cv2.CV_32F, borderType=cv2.BORDER_REFLECT)
    return np.abs(np.asarray(second, np.float32)).reshape(photo.height, photo.width)


def _crop(frame: Frame, region: Region) -> Photo:
    return frame.crop(region.x, region.y, region.width, region.height)
