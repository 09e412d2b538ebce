"""What people said about a photo: stars, rejection, pick and colour, wherever they are kept."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from focuskit.errors import SidecarConflictError
from focuskit.io.ifd import first_ifd
from focuskit.io.xmp import MOST_BYTES, Packet

__all__ = ["Marks", "read_embedded_marks", "read_sidecar", "read_sidecar_marks", "written_by_us"]

_HEAD_BYTES = 1 << 20
_RATING_TAG = 0x4746
_PICKED = {"1": "rejected", "3": "accepted"}
_DIGIKAM = {"1": "Red", "2": "Orange", "3": "Yellow", "4": "Green", "5": "Blue", "6": "Magenta"}
_DIGIKAM |= {"7": "Gray", "8": "Black", "9": "White"}
_DARKTABLE = {"0": "Red", "1": "Yellow", "2": "Green", "3": "Blue", "4": "Purple"}


@dataclass(frozen=True, slots=True)
class Marks:
    """What people said about a photo, in the camera or in an editor.

    Attributes:
        rating: 1 to 5 stars, -1 for rejected, None for unrated.
        label: colour label as written, or None.
        pick: "accepted" or "rejected" as in digiKam, or None.
        source: the file that says so.
    """

    rating: int | None = None
    label: str | None = None
    pick: str | None = None
    source: Path | None = None

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return self.rating is not None or self.label is not None or self.pick is not None

    @property
    def judged(self) -> bool:
        """Whether somebody rated, picked or rejected it; a colour may mean anything."""
        return self.rating is not None or self.pick is not None

    def __str__(self) -> str:
        """Say it in words."""
        said = []
        if self.rating is not None:
            said.append("rejected" if self.rating < 0 else f"{self.rating} of 5 stars")
        if self.pick is not None:
            said.append(f"pick: {self.pick}")
        if self.label is not None:
            said.append(f"label {self.label}")
        return ", ".join(said)


def read_sidecar(path: Path) -> bytes:
    """Return a sidecar's content.

    Raises:
        SidecarConflictError: it is no regular file, too large, or cannot be read.
    """
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no regular file"
            raise SidecarConflictError(f"{path} is left as it is: it is {kind}.")
        if found.st_size > MOST_BYTES:
            raise SidecarConflictError(
                f"{path} is left as it is: it has {found.st_size / 1e6:.0f} MB, more than any "
                "sidecar. Move it away and repeat."
            )
        return path.read_bytes()
    except OSError as exc:
        raise SidecarConflictError(
            f"{path} cannot be read ({exc.strerror}); check its permissions and repeat."
        ) from exc


def read_sidecar_marks(path: Path) -> Marks:
    """Return what people said in a sidecar; what focuskit wrote there itself does not count.

    Raises:
        SidecarConflictError: it cannot be read or is no XMP.
    """
    return _marks(Packet(read_sidecar(path), str(path)), path)


def read_embedded_marks(photo: Path) -> Marks:
    """Return what camera or editor said inside a photo, in its XMP packet or its EXIF rating.

    Looks at the first megabyte. Damaged data says nothing.
    """
    try:
        with photo.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return Marks()
    start = head.find(b"<x:xmpmeta")
    end = head.find(b"</x:xmpmeta>", start)
    if 0 <= start < end:
        try:
            marks = _marks(Packet(head[start : end + 12], str(photo)), photo)
        except SidecarConflictError:
            marks = Marks()
        if marks:
            return marks
    at = head.find(b"Exif\0\0", 0, 1 << 16)
    stars = first_ifd(head[at + 6 :] if at >= 0 else head).number(_RATING_TAG)
    return Marks(rating=stars, source=photo) if stars and 1 <= stars <= 5 else Marks()


def written_by_us(packet: Packet) -> dict[str, str]:
    """Return what focuskit wrote into a sidecar the last time, by property."""
    pairs = (pair.partition("=") for pair in (packet.value("focuskit:Written") or "").split("; "))
    return {key: value for key, _, value in pairs if key}


def _marks(packet: Packet, source: Path) -> Marks:
    ours = written_by_us(packet)

    def theirs(key: str) -> str:
        value = packet.text(key)
        return "" if value is None or value == ours.get(key) else value

    try:
        stars = round(float(theirs("xmp:Rating") or 0))
    except (ValueError, OverflowError):
        stars = 0
    rating = max(-1, min(5, stars)) if stars else None
    # Programs that count colours do not always write their names too.
    counted = _DIGIKAM.get(theirs("digiKam:ColorLabel"))
    counted = counted or _DARKTABLE.get(theirs("darktable:colorlabels").split(",")[0])
    label = theirs("xmp:Label") or counted
    pick = _PICKED.get(theirs("digiKam:PickLabel"))
    marks = Marks(rating, label, pick, source)
    return marks if marks else Marks()
