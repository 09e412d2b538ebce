"""Operations: each turns a Photo and its BlurMap into another Photo."""

from __future__ import annotations

from collections.abc import Callable

from focuskit.edit.edited import Edited
from focuskit.registry import Registry

__all__ = ["OPERATIONS", "Edited", "Operation"]

Operation = Callable[..., Edited]
"""Takes a photo, its blur map, and settings by name that have defaults wherever one is sensible."""

OPERATIONS: Registry[Operation] = Registry("operation", "focuskit.operations")
OPERATIONS.add("magnify", "focuskit.edit.magnify:magnify", "more of the blur that is there")
OPERATIONS.add("bokeh", "focuskit.edit.bokeh:bokeh", "background blur as of a wider aperture")
OPERATIONS.add("refocus", "focuskit.edit.refocus:refocus", "the plane of focus moved elsewhere")
OPERATIONS.add("deblur", "focuskit.edit.deblur:deblur", "blur taken back where it is worth it")
