"""What only goes wrong between an editor and its worker."""

from __future__ import annotations

from focuskit.errors import BridgeError

__all__ = ["Cancelled", "ProtocolError", "TimeLimitError", "WorkerDiedError"]


class Cancelled(BridgeError):
    """The person who asked wants it no more."""


class ProtocolError(BridgeError):
    """The other side said what the protocol does not know."""


class TimeLimitError(BridgeError):
    """A call took longer than its client allowed."""


class WorkerDiedError(BridgeError):
    """The process that did the work ended in the middle of it."""
