"""Frames and proofs, whatever arrives."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focuskit.bridge.faults import ProtocolError
from focuskit.bridge.protocol import (
    MOST_BYTES,
    FrameReader,
    frame,
    is_nonce,
    new_nonce,
    prove,
    proves,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
MESSAGES = st.dictionaries(st.text(max_size=8), VALUES, max_size=4).map(
    lambda told: told | {"type": "x"}
)


@settings(max_examples=40)
@given(st.lists(MESSAGES, max_size=4), st.lists(st.integers(1, 50)))
def test_messages_arrive_whatever_the_pieces(
    messages: list[dict[str, object]], pieces: list[int]
) -> None:
    data = b"".join(frame(each) for each in messages)
    reader, found, at = FrameReader(), [], 0

    for size in [*pieces, len(data)]:
        found += list(reader.feed(data[at : at + size]))
        at += size

    assert found == json.loads(json.dumps(messages))


@given(st.integers(MOST_BYTES + 1, 2**32 - 1), st.binary(max_size=20))
def test_a_frame_that_announces_too_much_is_refused_before_it_arrives(
    size: int, data: bytes
) -> None:
    with pytest.raises(ProtocolError, match=str(size)):
        list(FrameReader().feed(size.to_bytes(4, "big") + data))


@given(st.binary(max_size=60))
def test_junk_is_refused_or_waits_for_more(data: bytes) -> None:
    reader = FrameReader()
    try:
        found = list(reader.feed(data))
    except ProtocolError:
        return
    assert all(isinstance(each["type"], str) for each in found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"type": 3}',
        b'{"type": "x", "n": NaN}',
        b"\xff{}",
        b'"x"',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(len(body).to_bytes(4, "big") + body))


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        frame({"type": "x", "text": "x" * MOST_BYTES})


def test_a_proof_belongs_to_its_side_its_token_and_both_nonces() -> None:
    first, second, other = new_nonce(), new_nonce(), new_nonce()
    own = prove("token", "client", first, second)

    assert proves(own, prove("token", "client", first, second))
    for another in (
        prove("token", "worker", first, second),
        prove("other", "client", first, second),
        prove("token", "client", other, second),
        prove("token", "client", first, other),
    ):
        assert not proves(own, another)


@settings(max_examples=40)
@given(VALUES)
def test_what_is_no_proof_proves_nothing(given_: object) -> None:
    assert not proves(given_, prove("token", "client", "a" * 32, "b" * 32))


@pytest.mark.parametrize("nonce", ["", "a" * 31, "g" * 32, "a" * 300, 5, None, "é" * 32])
def test_short_nonces_are_none(nonce: object) -> None:
    assert not is_nonce(nonce)
    assert is_nonce("0123456789abcdefABCDEF0123456789")
