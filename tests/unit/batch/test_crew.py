"""How many workers fit, and how folders are called on other machines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch import crew as crew_module
from focuskit.batch.crew import Crew, PathMap, cores
from focuskit.batch.library import Shot
from focuskit.errors import InputError, RangeError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0="), min_size=1).filter(
    lambda name: name not in (".", "..")
)
BELOW = st.lists(NAMES, min_size=1, max_size=4)


@dataclass(frozen=True)
class Outcome:
    shot: Shot
    picture: Path
    text: str


def _shot(path: Path) -> Shot:
    return Shot(path.name, path, (path, path.with_suffix(".nef")))


@given(here=BELOW, there=BELOW, below=BELOW)
def test_there_and_back_is_where_it_was(
    here: list[str], there: list[str], below: list[str]
) -> None:
    photos, mount = Path("/local", *here), Path("/remote", *there)
    paths = PathMap.parse([f"{photos}={mount}"])
    path = photos.joinpath(*below)

    moved = paths.there(path)

    assert moved == mount.joinpath(*below)
    assert paths.here(moved) == path


@given(below=BELOW)
def test_what_no_folder_holds_keeps_its_name(below: list[str]) -> None:
    paths = PathMap.parse(["/photos=/mnt/photos"])
    # A folder whose name only begins alike is another folder.
    path = Path("/photos-of-others", *below)

    assert paths.there(path) == path
    assert paths.here(path) == path


@given(below=BELOW)
def test_the_nearest_folder_wins_in_any_order(below: list[str]) -> None:
    texts = ["/photos=/mnt/all", "/photos/2026=/mnt/new"]
    path = Path("/photos/2026", *below)

    for order in (texts, texts[::-1]):
        assert PathMap.parse(order).there(path) == Path("/mnt/new", *below)
        assert PathMap.parse(order).here(Path("/mnt/new", *below)) == path


def test_every_path_in_a_value_is_translated_and_nothing_else() -> None:
    paths = PathMap.parse(["/photos=/mnt/nas"])
    outcome = Outcome(_shot(Path("/photos/a/1.jpg")), Path("/photos/out/1.png"), "/photos/text")

    there = paths.there((outcome, 7))

    moved = Path("/mnt/nas/a/1.jpg")
    assert there == (
        Outcome(
            Shot("1.jpg", moved, (moved, moved.with_suffix(".nef"))),
            Path("/mnt/nas/out/1.png"),
            "/photos/text",
        ),
        7,
    )
    assert paths.here(there) == (outcome, 7)


def test_folders_may_be_relative_here_and_end_with_a_slash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = PathMap.parse(["photos/=/mnt/nas/"])

    assert paths.there(Path("photos/1.jpg")) == Path("/mnt/nas/1.jpg")
    assert paths.here(Path("/mnt/nas/1.jpg")) == tmp_path / "photos" / "1.jpg"


def test_the_root_is_a_folder_too() -> None:
    paths = PathMap.parse(["/photos=/"])

    assert paths.there(Path("/photos/1.jpg")) == Path("/1.jpg")
    assert paths.here(Path("/1.jpg")) == Path("/photos/1.jpg")


@pytest.mark.parametrize("text", ["", "/photos", "=/mnt", "/photos=", "="])
def test_half_a_pair_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write LOCAL=REMOTE"):
        PathMap.parse(["/a=/b", text])


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": -2},
        {"memory_gib": 0.0},
        {"memory_gib": float("nan")},
        {"time_limit_s": 0.0},
        {"nice": 20},
        {"nice": -1},
    ],
)
def test_numbers_that_make_no_sense_are_named(wrong: dict[str, float]) -> None:
    (name,) = wrong

    with pytest.raises(RangeError, match=name):
        Crew(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("gib", "workers"), [(2.0, 3), (3.0, 2), (16.0, 1)])
def test_memory_limits_how_many_workers_there_are(
    gib: float, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_module, "memory_gib", lambda: 7.0)
    monkeypatch.setattr(crew_module, "cores", lambda: 12)

    assert Crew(memory_gib=gib).count() == workers
    assert Crew(workers, memory_gib=gib).count() == workers
    with pytest.raises(RangeError, match=f"at most {workers} fit"):
        Crew(workers + 1, memory_gib=gib).count()


def test_without_a_number_there_is_a_worker_for_every_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew_module, "memory_gib", lambda: 1000.0)

    assert Crew().count() == cores()
    assert 1 <= cores() <= (os.cpu_count() or 1)
