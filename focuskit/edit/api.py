"""The edits as functions from photo to photo: what `import focuskit` offers.

Each has its home in the module of its name beside this one, where it returns an `Edited`, which
also tells how far restored detail is to be believed, and what there is to say. Here the same
function, with the same parameters and the same words about them, returns the photo alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from focuskit.edit.bokeh import bokeh as _bokeh
from focuskit.edit.deblur import Deblurred
from focuskit.edit.deblur import deblur as _deblur
from focuskit.edit.edited import Edited
from focuskit.edit.magnify import magnify as _magnify
from focuskit.edit.refocus import refocus as _refocus
from focuskit.errors import InputError
from focuskit.photo import Photo

__all__ = ["bokeh", "deblur", "magnify", "refocus"]

P = ParamSpec("P")


def _photo_of(operation: Callable[P, Edited]) -> Callable[P, Photo]:
    """Return an operation that gives its photo only."""

    @wraps(operation)
    def edit(*args: P.args, **kwargs: P.kwargs) -> Photo:
        return operation(*args, **kwargs).photo

    # What is found under this name, for pickle; and what help() and editors show.
    edit.__module__ = __name__
    shown = inspect.signature(operation).replace(return_annotation="Photo")
    edit.__signature__ = shown  # type: ignore[attr-defined]
    edit.__annotations__ = operation.__annotations__ | {"return": Photo}
    return edit


def _worth_it(operation: Callable[P, Deblurred]) -> Callable[P, Edited]:
    """Return the operation with an InputError where it finds nothing worth its while.

    A photo alone could not tell that, and would come back silently unchanged.
    """

    @wraps(operation)
    def edit(*args: P.args, **kwargs: P.kwargs) -> Edited:
        edited = operation(*args, **kwargs)
        if not edited.regions.kept:
            raise InputError(" ".join(edited.notes))
        return edited

    return edit


bokeh = _photo_of(_bokeh)
deblur = _photo_of(_worth_it(_deblur))
magnify = _photo_of(_magnify)
refocus = _photo_of(_refocus)
