"""focuskit finds where a photograph is in focus, and puts that to work.

    import focuskit

    photo = focuskit.read_photo("IMG_0042.CR3")
    blur_map = focuskit.DETECTORS.get("focusnet")(photo)
    wide_open = focuskit.bokeh(photo, blur_map, f_number=1.4)

Public names are loaded when first used, so importing focuskit imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from focuskit.blurmap import BlurMap
    from focuskit.detect import DETECTORS
    from focuskit.edit import OPERATIONS
    from focuskit.edit.api import bokeh, deblur, magnify, refocus
    from focuskit.errors import FocuskitError
    from focuskit.io import read_photo, read_preview, write_photo
    from focuskit.photo import Exif, Photo

__all__ = [
    "DETECTORS",
    "OPERATIONS",
    "BlurMap",
    "Exif",
    "FocuskitError",
    "Photo",
    "__version__",
    "bokeh",
    "deblur",
    "magnify",
    "read_photo",
    "read_preview",
    "refocus",
    "write_photo",
]

_HOMES = {
    "BlurMap": "focuskit.blurmap",
    "DETECTORS": "focuskit.detect",
    "Exif": "focuskit.photo",
    "FocuskitError": "focuskit.errors",
    "OPERATIONS": "focuskit.edit",
    "Photo": "focuskit.photo",
    "bokeh": "focuskit.edit.api",
    "deblur": "focuskit.edit.api",
    "magnify": "focuskit.edit.api",
    "read_photo": "focuskit.io",
    "read_preview": "focuskit.io",
    "refocus": "focuskit.edit.api",
    "write_photo": "focuskit.io",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Looked up on the disk, which ten thousand records would ask for one by one.
        return globals().setdefault(name, version("focuskit"))
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'focuskit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
