"""Pictures for the screen: made once, bounded, whatever a file does to its decoder."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from focuskit.errors import FocuskitError, InputError
from focuskit.io.icc import build_profile
from focuskit.review import pictures as pictures_module
from focuskit.review.pictures import BusyError, Pictures, Store, workers
from focuskit.review.rendering import Kind, Wanted, render

STEM = "0123456789abcdef"

T = TypeVar("T")


def _run(ask: Coroutine[Any, Any, T]) -> T:
    """Run it beside what the browser's driver may have going in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask).result()


def wanted(path: Path, kind: Kind = "photo") -> Wanted:
    return Wanted(kind, path.name, (path,), (8, 8, 16, 16), "reblur")


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("kind", ["thumb", "photo", "crop", "full", "overlay"])
def test_a_turned_photo_is_shown_upright(tmp_path: Path, kind: Kind) -> None:
    rng = np.random.default_rng(3)
    picture = np.kron(rng.integers(0, 255, (12, 16), np.uint8), np.ones((8, 8), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.fromarray(np.stack([picture] * 3, -1)).save(path, exif=exif, quality=95)

    render(wanted(path, kind), tmp_path / "out.jpg")

    shown = read(tmp_path / "out.jpg")
    assert shown.shape == (128, 96, 3)
    if kind != "overlay":
        upright = np.rot90(picture, -1).astype(int)
        assert np.abs(shown.mean(-1) - upright).mean() < 12


@pytest.mark.parametrize("kind", ["thumb", "photo", "crop", "full"])
def test_colours_of_a_wide_profile_are_shown_as_srgb(tmp_path: Path, kind: Kind) -> None:
    profile = build_profile("display-p3")
    wide = Image.new("RGB", (64, 48), (200, 90, 60))
    path = tmp_path / "wide.jpg"
    wide.save(path, quality=98, subsampling=0, icc_profile=profile)

    render(wanted(path, kind), tmp_path / "out.jpg")

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(wide, source, ImageCms.createProfile("sRGB"))
    assert expected is not None
    shown = read(tmp_path / "out.jpg")[20:28, 28:36].reshape(-1, 3).mean(0)
    assert np.abs(shown - np.array(expected.getpixel((32, 24)))).max() < 5


def test_the_bound_keeps_what_was_used_last(tmp_path: Path) -> None:
    store = Store(tmp_path, most_bytes=350)
    names = [f"{number:016x}-photo.jpg" for number in range(4)]
    for name in names[:3]:
        (tmp_path / name).write_bytes(b"x" * 100)
        store.added(name)
    assert store.find(names[0])
    (tmp_path / names[3]).write_bytes(b"x" * 100)
    store.added(names[3])

    assert [store.find(name) is not None for name in names] == [True, False, True, True]
    assert sorted(os.listdir(tmp_path)) == [names[0], *names[2:]]


def test_a_folder_is_taken_over_and_only_pictures_of_ours_are_ever_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes(b"x" * 1000)
    for number in range(3):
        (tmp_path / f"{number:016x}-full.jpg").write_bytes(b"x" * 100)
    store = Store(tmp_path, most_bytes=150)
    new = f"{9:016x}-full.jpg"
    (tmp_path / new).write_bytes(b"x" * 100)

    store.added(new)

    assert sorted(os.listdir(tmp_path)) == [new, "mine.txt"]
    (tmp_path / new).unlink()
    assert store.find(new) is None


def test_many_who_want_one_picture_wait_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def slowly(_: Wanted, target: Path) -> None:
        made.append(target)
        target.write_bytes(b"picture")

    monkeypatch.setattr(pictures_module, "render", slowly)

    async def ask() -> set[Path]:
        pictures = Pictures(tmp_path, Store(tmp_path / "large"), lambda: ThreadPoolExecutor(2))
        paths = await asyncio.gather(*(pictures.get(STEM, wanted(tmp_path)) for _ in range(9)))
        again = await pictures.get(STEM, wanted(tmp_path))
        return {*paths, again}

    assert _run(ask()) == {tmp_path / "large" / f"{STEM}-photo.jpg"}
    assert len(made) == 1


def test_beyond_the_bound_more_are_turned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_module, "_MOST_WAITING", 2)

    async def ask() -> list[object]:
        pictures = Pictures(tmp_path, Store(tmp_path / "large"), lambda: ThreadPoolExecutor(1))
        stems = (f"{number:016x}" for number in range(3))
        missing = wanted(tmp_path / "missing.jpg")
        found = await asyncio.gather(
            *(pictures.get(stem, missing) for stem in stems), return_exceptions=True
        )
        return list(found)

    kinds = [type(each) for each in _run(ask())]
    assert kinds.count(BusyError) == 1
    assert all(issubclass(kind, FocuskitError) for kind in kinds if isinstance(kind, type))


def _die(_: Wanted, __: Path) -> None:
    os._exit(11)


def test_a_decoder_that_crashes_costs_one_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), np.full((40, 60, 3), 128, np.uint8))

    async def ask() -> Path:
        pictures = Pictures(tmp_path, Store(tmp_path / "large"), workers)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(pictures_module, "render", _die)
                with pytest.raises(InputError, match="decoder crashed"):
                    await pictures.get(STEM, wanted(path))
            return await pictures.get(STEM, wanted(path))
        finally:
            pictures.close()

    assert _run(ask()).exists()
