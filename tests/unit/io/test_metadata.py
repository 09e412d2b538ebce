from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from focuskit.io import metadata as metadata_module
from focuskit.io import open_frame, read_exif
from tests.scenes import SAMPLES

PHOTOS = sorted(path for path in SAMPLES.iterdir() if path.suffix != ".toml")


@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.name)
def test_it_says_what_decoding_says(path) -> None:  # type: ignore[no-untyped-def]
    alone, decoded = read_exif(path), open_frame(path).exif

    assert alone.taken_at is not None
    assert alone.taken_at == decoded.taken_at
    assert alone.camera == decoded.camera
    assert alone.exposure_s == decoded.exposure_s


def test_directories_behind_the_head_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_module, "_HEAD_BYTES", 64)

    taken = read_exif(SAMPLES / "IMG_0030.dng").taken_at

    assert taken is not None
    assert taken.utcoffset() == timedelta(hours=2)
    assert taken.astimezone(UTC).hour == 11
