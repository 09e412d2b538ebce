"""Frames on a connection, and the proof that both ends have read the token. No work is done here.

A frame is 4 bytes of length, big-endian, then as many bytes of UTF-8 JSON, an object with `type`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import struct
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from focuskit.bridge.faults import ProtocolError

__all__ = ["MOST_BYTES", "PROTOCOL", "FrameReader", "frame", "is_nonce", "new_nonce", "prove"]
__all__ += ["proves"]

PROTOCOL = 1
"""Goes up when an older client would misunderstand."""

MOST_BYTES = 1 << 20
"""Of one frame; pixels go through files."""

_HEAD = struct.Struct(">I")
_NONCE_BYTES = 32
_NONCE = re.compile(r"[0-9a-fA-F]{32,256}")

Message = dict[str, Any]


def frame(message: Mapping[str, Any]) -> bytes:
    """Return a message as bytes for the wire.

    Raises:
        ProtocolError: it is larger than a frame may be.
    """
    body = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    if len(body) > MOST_BYTES:
        raise ProtocolError(f"A frame may have {MOST_BYTES} bytes, this one has {len(body)}.")
    return _HEAD.pack(len(body)) + body


class FrameReader:
    """Puts messages together from bytes that arrive in pieces of any size."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are complete with these bytes.

        Raises:
            ProtocolError: a frame is too large, or holds no JSON object with a type; what follows
                it cannot be understood any more.
        """
        self._left += data
        while len(self._left) >= _HEAD.size:
            (size,) = _HEAD.unpack_from(self._left)
            if size > MOST_BYTES:
                raise ProtocolError(
                    f"A frame may have {MOST_BYTES} bytes, and one of {size} was announced."
                )
            end = _HEAD.size + size
            if len(self._left) < end:
                return
            body = bytes(self._left[_HEAD.size : end])
            del self._left[:end]
            yield _message(body)


def _message(body: bytes) -> Message:
    try:
        message = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"A frame holds no JSON ({exc}).") from exc
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("A frame must hold a JSON object with a text under the key type.")
    return message


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def new_nonce() -> str:
    """Return a text that nobody used before, so that a proof serves once."""
    return secrets.token_hex(_NONCE_BYTES)


def is_nonce(given: object) -> TypeGuard[str]:
    """Whether this is a text long enough to be nobody else's."""
    return isinstance(given, str) and _NONCE.fullmatch(given) is not None


def prove(token: str, who: str, first: str, second: str) -> str:
    """Return the proof that one end has read the token.

    Args:
        token: of the address file.
        who: "worker" or "client": one's proof is not the other's.
        first: the client's nonce.
        second: the worker's nonce.
    """
    text = f"{who}{first}{second}".encode()
    return hmac.new(token.encode(), text, hashlib.sha256).hexdigest()


def proves(given: object, wanted: str) -> bool:
    """Whether a proof is the wanted one; this takes as long either way."""
    if not isinstance(given, str):
        return False
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
