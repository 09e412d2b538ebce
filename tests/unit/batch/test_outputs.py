"""Names of results, and what may be put onto what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.catalog import Catalog, Row
from focuskit.batch.library import Problem, Shot
from focuskit.batch.naming import NamedShot, Naming, named
from focuskit.batch.outputs import Made, Outputs, traces
from focuskit.batch.storing import stored

NAMES = st.lists(
    st.from_regex(r"\A([ab]/)?[ab](\.(jpg|png|dng))?\.(jpg|JPG|png|dng)\Z"), unique=True, max_size=8
)


def _shot(name: str) -> Shot:
    return Shot(name, Path("/library", name), (Path("/library", name),))


@given(NAMES, st.booleans())
def test_no_two_shots_share_a_result(names: list[str], compare: bool) -> None:
    naming = Naming(compare=compare)

    made = [
        name
        for shot in named([_shot(name) for name in names])
        for name in naming.names(shot, "deblur").values()
    ]

    assert len(made) == len(set(made))


@given(NAMES)
def test_a_name_without_rivals_loses_its_suffix(names: list[str]) -> None:
    for shot in named([_shot(name) for name in names]):
        assert shot.stem in (shot.name, shot.name.rpartition(".")[0])
    assert named([_shot("x/one.jpg")])[0].stem == "x/one"


@pytest.fixture
def catalog() -> Catalog:
    return Catalog.in_memory()


def _names(shot: NamedShot) -> Mapping[str, str]:
    return {"photo": f"{shot.stem}-bokeh.jpg"}


def _outputs(folder: Path, catalog: Catalog, **more: object) -> Outputs:
    folder.mkdir(exist_ok=True)
    values: dict[str, object] = {"version": "1", "originals": (), **more}
    return Outputs(folder=folder, step="bokeh", names=_names, catalog=catalog, **values)  # type: ignore[arg-type]


def _made(folder: Path, catalog: Catalog, version: str = "1") -> Path:
    path = folder / "one-bokeh.jpg"
    path.write_bytes(b"result")
    made = Made(traces(folder, {"photo": path.name}), {"width": 3})
    catalog.put([Row("one.jpg", "bokeh", version, "done", (), stored(made))])
    return path


SHOT = named([_shot("one.jpg")])[0]


def test_what_is_not_there_may_be_made_and_that_is_noted(tmp_path: Path, catalog: Catalog) -> None:
    found = _outputs(tmp_path / "out", catalog).before(SHOT)

    assert isinstance(found, NamedShot)
    assert not found.replace
    (row,) = catalog.rows("bokeh")
    assert (row.shot, row.version, row.state) == ("one.jpg", "1", "again")


def test_what_a_killed_run_left_may_be_replaced(tmp_path: Path, catalog: Catalog) -> None:
    _outputs(tmp_path / "out", catalog).before(SHOT)
    (tmp_path / "out" / "one-bokeh.jpg").write_bytes(b"written, but not noted any more")

    found = _outputs(tmp_path / "out", catalog).before(SHOT)
    other = _outputs(tmp_path / "out", catalog, version="2").before(SHOT)

    assert isinstance(found, NamedShot)
    assert found.replace
    assert isinstance(other, Problem)


def test_a_foreign_file_is_left_alone_unless_told(tmp_path: Path, catalog: Catalog) -> None:
    outputs = _outputs(tmp_path / "out", catalog, own=True)
    (tmp_path / "out" / "one-bokeh.jpg").write_bytes(b"mine")

    refused = outputs.before(SHOT)
    told = _outputs(tmp_path / "out", catalog, overwrite=True).before(SHOT)

    assert isinstance(refused, Problem)
    assert "exists already; add --overwrite" in refused.message
    assert isinstance(told, NamedShot)
    assert told.replace


@pytest.mark.parametrize("own", [False, True])
def test_results_of_other_numbers_are_replaced_by_recipes_alone(
    tmp_path: Path, catalog: Catalog, own: bool
) -> None:
    outputs = _outputs(tmp_path / "out", catalog, version="2", own=own)
    _made(tmp_path / "out", catalog)

    assert isinstance(outputs.before(SHOT), NamedShot) == own


def test_a_result_that_somebody_changed_is_left_alone(tmp_path: Path, catalog: Catalog) -> None:
    outputs = _outputs(tmp_path / "out", catalog, version="2", own=True)
    _made(tmp_path / "out", catalog).write_bytes(b"retouched by hand")

    found = outputs.before(SHOT)

    assert isinstance(found, Problem)
    assert "was changed since focuskit wrote it" in found.message


def test_an_original_is_never_replaced_by_whatever_name(tmp_path: Path, catalog: Catalog) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    original = tmp_path / "original.jpg"
    original.write_bytes(b"photo")
    os.link(original, folder / "one-bokeh.jpg")
    originals = (Shot("original.jpg", original, (original,)),)

    found = _outputs(folder, catalog, originals=originals, overwrite=True).before(SHOT)

    assert isinstance(found, Problem)
    assert "originals are never replaced" in found.message


def test_lost_and_with_overwrite_changed_results_are_not_there(
    tmp_path: Path, catalog: Catalog
) -> None:
    outputs = _outputs(tmp_path / "out", catalog)
    told = _outputs(tmp_path / "out", catalog, overwrite=True)
    path = _made(tmp_path / "out", catalog)
    made = Made(traces(path.parent, {"photo": path.name}))
    assert outputs.there(made)
    assert told.there(made)

    path.write_bytes(b"another size")
    assert (outputs.there(made), told.there(made)) == (True, False)
    path.unlink()
    assert not outputs.there(made)


def test_results_of_a_photo_that_was_renamed_are_looked_for_under_its_new_name(
    tmp_path: Path, catalog: Catalog
) -> None:
    outputs = _outputs(tmp_path / "out", catalog)
    path = _made(tmp_path / "out", catalog)
    made = Made(traces(path.parent, {"photo": path.name}))

    moved = outputs.rebound(made, named([_shot("two.jpg")])[0])

    assert moved.files["photo"].name == "two-bokeh.jpg"
    assert not outputs.there(moved)
