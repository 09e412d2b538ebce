"""Sentences of the command line, as a person in an editor understands them."""

from __future__ import annotations

import re

__all__ = ["for_editors"]

_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


def for_editors(sentence: str) -> str:
    """Return a sentence with options of the command as the parameters that they are called."""
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), sentence)
