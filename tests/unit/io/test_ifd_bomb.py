from __future__ import annotations

import struct
import tracemalloc

from focuskit.io.ifd import first_ifd


def test_entries_that_claim_the_same_bytes_do_not_multiply_them() -> None:
    body, count = b"\x07" * 300_000, 1500
    start = 8 + 2 + 12 * count + 4
    entries = b"".join(
        struct.pack("<HHII", 1000 + each, 7, len(body), start) for each in range(count)
    )
    data = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", count) + entries + bytes(4) + body

    tracemalloc.start()
    ifd = first_ifd(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 1000 in ifd.fields
    assert peak < 10 * len(data)
