from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from focuskit.errors import FocuskitError, InputError, OutputError
from focuskit.training import sources
from focuskit.training.datasets import MaskedPhoto, find_dataset, validation_split
from focuskit.training.example import Example
from focuskit.training.sources import HELD_OUT_SCENES, SPARED, Sources, read_examples, read_sources
from tests.scenes import ROOT
from tests.unit.training._make import few_renderings, write_data_root

REAL = ROOT.parent / "shared" / "data"
Read = Callable[..., Sources]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_root(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in few_renderings().items():
        monkeypatch.setattr(sources, name, value)


@pytest.fixture
def own_root(data_root: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(data_root, tmp_path / "data"))


def _read(data: Path, cache: Path, *, seed: int = 0) -> tuple[Sources, list[str]]:
    said: list[str] = []
    return read_sources(data, cache, seed=seed, say=said.append), said


def _names(examples: list[Example]) -> set[str]:
    return {example.scene for example in examples}


def _equal(one: Example, other: Example) -> bool:
    return (one.source, one.scene) == (other.source, other.scene) and all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name != "rgb")
        for name in ("rgb", "in_focus", "weight", "coc_diameter_px")
    )


@pytest.mark.usefixtures("few")
def test_everything_is_read_and_what_is_held_back_stays_apart(
    data_root: Path, tmp_path: Path
) -> None:
    found, _ = _read(data_root, tmp_path)

    kinds = {"cuhk", "pairs", "sweeps", "scenes", "whole"}
    assert set(found.validation) == kinds
    assert set(found.training) == {*kinds, "sharp"}
    for kind in ("cuhk", "pairs", "sweeps"):
        taught, held = _names(found.training[kind]), _names(found.validation[kind])
        assert taught
        assert held
        assert not taught & held
    items = find_dataset("cuhk", data_root / "cuhk-dbd").items
    held_items, rest = validation_split(items)
    assert _names(found.validation["cuhk"]) == {item.name for item in held_items}
    # One of them is in SPARED.
    spared = {"out_of_focus0509"}
    assert spared <= set(SPARED)
    assert spared <= {item.name for item in rest}
    assert _names(found.training["cuhk"]) == {item.name for item in rest} - spared
    assert _names(found.training["pairs"]) == {"toys"}
    assert _names(found.validation["pairs"]) == {"mffw_03"}
    assert _names(found.training["sweeps"]) == {"shelf"}
    assert _names(found.validation["sweeps"]) == {"temple"}


@pytest.mark.usefixtures("few")
def test_examples_are_what_training_expects(data_root: Path, tmp_path: Path) -> None:
    found, _ = _read(data_root, tmp_path)

    for part in (found.training, found.validation):
        for kind, source in (
            ("cuhk", "cuhk"),
            ("pairs", "multifocus"),
            ("sweeps", "sweep"),
            ("scenes", "scene"),
            ("whole", "whole"),
        ):
            for example in part[kind]:
                assert example.source == source
                shape = example.rgb.shape[:2]
                assert (example.rgb.dtype, example.rgb.shape[2]) == (np.uint8, 3)
                for name in ("in_focus", "weight", "coc_diameter_px"):
                    values = getattr(example, name)
                    assert (values.shape, values.dtype) == (shape, np.float32)
                    assert not (values < 0).any()
                assert max(example.in_focus.max(), example.weight.max()) <= 1
    counts = [len(part["scenes"]) for part in (found.training, found.validation)]
    assert counts == [4, 2]
    assert all(np.isnan(each.coc_diameter_px).all() for each in found.training["cuhk"])
    assert all(np.isfinite(e.coc_diameter_px).mean() > 0.3 for e in found.training["scenes"])


@pytest.mark.usefixtures("few")
def test_masks_are_read_with_the_polarity_of_the_set(data_root: Path, tmp_path: Path) -> None:
    found, _ = _read(data_root, tmp_path)

    for example in found.training["cuhk"]:
        # The pictures are sharp on the left.
        assert example.in_focus[:, :80].all()
        assert not example.in_focus[:, 80:].any()
        detail = np.abs(cv2.Laplacian(example.rgb[..., 1], cv2.CV_32F))
        assert detail[:, :78].mean() > 2 * detail[:, 82:].mean()


@pytest.mark.usefixtures("few")
def test_what_was_rendered_is_kept(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, said = _read(data_root, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    monkeypatch.setattr(sources, "_render_chunk", lambda *args: pytest.fail("rendered again"))

    second, said_again = _read(data_root, tmp_path)

    assert any("Rendering" in text for text in said)
    assert not any("Rendering" in text for text in said_again)
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert first.data_hash == second.data_hash
    for part in ("training", "validation"):
        for kind in ("scenes", "whole"):
            pairs = zip(getattr(first, part)[kind], getattr(second, part)[kind], strict=True)
            assert all(_equal(one, other) for one, other in pairs)


@pytest.mark.usefixtures("few")
def test_a_rendering_that_was_broken_off_goes_on_where_it_stopped(
    data_root: Path, tmp_path: Path
) -> None:
    whole, _ = _read(data_root, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "broken")
    gone = sorted((tmp_path / "broken").rglob("*-001.npz"))
    for path in gone:
        path.unlink()

    again, said = _read(data_root, tmp_path / "broken")

    assert gone
    assert any(text.startswith(f"Rendering {2 * len(gone)} examples") for text in said)
    for kind in ("scenes", "whole"):
        pairs = zip(whole.training[kind], again.training[kind], strict=True)
        assert all(_equal(one, other) for one, other in pairs)
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.usefixtures("few")
def test_the_seed_decides_what_is_rendered(data_root: Path, tmp_path: Path) -> None:
    one, other = (_read(data_root, tmp_path, seed=seed)[0] for seed in (0, 1))

    assert one.data_hash == other.data_hash
    assert not _names(one.training["scenes"]) & _names(other.training["scenes"])


@pytest.mark.usefixtures("few")
def test_what_is_rendered_tells_what_it_was_rendered_from(data_root: Path, tmp_path: Path) -> None:
    found, _ = _read(data_root, tmp_path)

    taught, held = (_names(part["whole"]) for part in (found.training, found.validation))
    plain = {f"plain{number}" for number in range(4)}
    assert taught <= _names(found.training["cuhk"]) | plain
    assert held <= _names(found.validation["cuhk"]) | plain
    assert taught
    assert held
    for kind in ("scenes", "whole"):
        assert not _names(found.training[kind]) & _names(found.validation[kind])


@pytest.mark.usefixtures("few")
def test_no_two_files_are_made_of_the_same_random_numbers(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: dict[str, list[int]] = {}
    render = sources._render_chunk

    def note(*args: Any) -> None:
        *_, rng, path = args
        streams[f"{path.parent.name.split('-')[-1]}/{path.stem}"] = (
            rng.bit_generator.seed_seq.entropy
        )
        render(*args)

    monkeypatch.setattr(sources, "_render_chunk", note)
    _read(data_root, tmp_path, seed=5)

    # The first numbers are those of old caches, which may be used on.
    assert streams == {
        "training/scenes-000": [5, 2, 0],
        "training/scenes-001": [5, 2, 1],
        "training/whole-000": [5, 3, 0],
        "training/whole-001": [5, 3, 1],
        "validation/held-scenes-000": [5, 12, 0],
        "validation/held-whole-000": [5, 13, 0],
    }


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "change",
    [
        "cuhk-dbd/masks/out_of_focus0003.png",
        "multifocus/toys/toys_A.png",
        "focal-sweeps/shelf/frame3.jpg",
        "sharp/plain0.jpg",
    ],
)
def test_other_data_have_another_hash(own_root: Path, tmp_path: Path, change: str) -> None:
    before, _ = _read(own_root, tmp_path / "cache")
    path = own_root / change
    with path.open("ab") as file:
        file.write(b"\0")

    after, said = _read(own_root, tmp_path / "cache")

    assert re.fullmatch("[0-9a-f]{64}", before.data_hash)
    assert before.data_hash != after.data_hash
    # What was rendered from other data is not taken for it.
    assert any("Rendering" in text for text in said)


@pytest.mark.usefixtures("few")
def test_the_hash_is_of_the_data_and_not_of_their_place(own_root: Path, data_root: Path) -> None:
    assert sources._hash(own_root) == sources._hash(data_root)
    path = own_root / "sharp" / "plain3.jpg"
    path.rename(path.with_name("plain9.jpg"))
    assert sources._hash(own_root) != sources._hash(data_root)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("cuhk-dbd", "cuhk-dbd is not laid out like cuhk"),
        ("cuhk-dbd/masks", "cuhk-dbd is not laid out like cuhk"),
        ("multifocus", "multifocus is not a folder: expected NAME/NAME_A"),
        ("focal-sweeps", "focal-sweeps is not a folder: expected SCENE"),
        ("sharp", "sharp is missing: photos to take sharp textures from belong there"),
        ("sharp/plain*.jpg", "sharp holds 0 photos .*more than 2 are needed"),
    ],
)
def test_a_missing_folder_is_a_sentence(
    own_root: Path, tmp_path: Path, missing: str, sentence: str
) -> None:
    for path in own_root.glob(missing):
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    with pytest.raises(InputError, match=sentence):
        _read(own_root, tmp_path / "cache")


@pytest.mark.usefixtures("few")
def test_a_damaged_photo_or_mask_is_a_sentence(own_root: Path, tmp_path: Path) -> None:
    for name in ("sharp/plain1.jpg", "cuhk-dbd/photos/out_of_focus0002.jpg"):
        path = own_root / name
        whole = path.read_bytes()
        path.write_bytes(b"no picture")
        with pytest.raises(FocuskitError, match=path.name):
            _read(own_root, tmp_path / "cache")
        path.write_bytes(whole)


def test_a_mask_of_another_size_is_a_sentence(own_root: Path) -> None:
    folder = own_root / "cuhk-dbd"
    item = MaskedPhoto(
        folder / "photos" / "out_of_focus0001.jpg", folder / "masks" / "out_of_focus0001.png"
    )
    cv2.imwrite(str(item.mask), np.zeros((60, 80), np.uint8))

    with pytest.raises(InputError, match=r"out_of_focus0001\.png is damaged or not of its photo"):
        read_examples([item], in_focus_is_white=True)


def test_polarity_turns_the_answer_round(data_root: Path) -> None:
    items = find_dataset("cuhk", data_root / "cuhk-dbd").items[:1]
    (one,), (other,) = (read_examples(items, in_focus_is_white=white) for white in (True, False))

    assert np.array_equal(one.in_focus, 1 - other.in_focus)
    assert np.array_equal(one.rgb, other.rgb)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("kind", ["cut", "empty", "other"])
def test_a_damaged_file_of_the_cache_is_a_sentence(
    data_root: Path, tmp_path: Path, kind: str
) -> None:
    _read(data_root, tmp_path)
    path = next(tmp_path.rglob("scenes-000.npz"))
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "other": b"x" * 99}[kind])

    with pytest.raises(InputError, match=r"scenes-000.npz is damaged .*remove it"):
        _read(data_root, tmp_path)


@pytest.mark.usefixtures("few")
def test_nothing_is_unpickled(data_root: Path, tmp_path: Path) -> None:
    """A cache file that would run code when unpickled is refused."""
    _read(data_root, tmp_path)
    path = next(tmp_path.rglob("scenes-000.npz"))
    np.savez(
        path, **dict.fromkeys(("rgb0", "in_focus0", "weight0", "coc0"), np.array([{}])), name0=1
    )  # type: ignore[arg-type]

    with pytest.raises(InputError, match=r"damaged .*allow_pickle=False"):
        _read(data_root, tmp_path)


@pytest.mark.usefixtures("few")
def test_a_cache_that_cannot_be_made_is_a_sentence(data_root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")

    with pytest.raises(OutputError, match="cannot be made"):
        _read(data_root, tmp_path / "cache")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real photos beside the checkout")
def test_what_is_held_back_exists() -> None:
    """A name with a slip in it would hold nothing back."""
    folders = {
        path.name for kind in ("multifocus", "focal-sweeps") for path in (REAL / kind).iterdir()
    }
    assert folders >= HELD_OUT_SCENES
    photos = {path.stem for path in (REAL / "cuhk-dbd" / "photos").iterdir()}
    assert photos >= set(SPARED)


@pytest.mark.usefixtures("few")
def test_what_nobody_asks_for_is_not_rendered(data_root: Path, tmp_path: Path) -> None:
    found = read_sources(data_root, tmp_path, seed=0, say=lambda _: None, kinds={"cuhk", "pairs"})

    assert not {"scenes", "whole"} & {*found.training, *found.validation}
    assert not list(tmp_path.rglob("*.npz"))
    assert all(example.in_focus.min() == 1 for example in found.training["sharp"])
