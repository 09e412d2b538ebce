"""Writing back from the page, and photos that move meanwhile."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from focuskit.batch.acting import Action, plan_actions
from focuskit.batch.catalog import CATALOG_NAME
from focuskit.batch.decisions import with_choices
from focuskit.batch.picks import read_picks
from focuskit.batch.results import read_results
from focuskit.batch.sidecars import write_sidecars
from focuskit.io.marks import read_sidecar_marks
from focuskit.review.table import Table
from tests.unit.batch.test_acting import tree
from tests.unit.review.conftest import cull

KEEPER, REJECT = "IMG_0011.jpg", "IMG_0012.jpg"


@pytest.fixture
def table(place: Path) -> Iterator[Table]:
    made = Table(place / "out" / CATALOG_NAME)
    yield made
    made.close()


def post(client: TestClient, path: str, **said: Any) -> dict[str, Any]:
    answer = client.post(path, json=said)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def record(place: Path, shot: str) -> dict[str, Any]:
    return next(each for each in read_results(place / "out") if each["shot"] == shot)


def test_moves_go_where_the_person_said_and_come_back(
    place: Path, client: TestClient, table: Table, numbers: dict[str, int]
) -> None:
    before = tree(place / "library")
    table.change({numbers[KEEPER]: {"pick": "reject"}, numbers[REJECT]: {"pick": "unset"}}, "", "")
    into = {"reject": str(place / "rejects")}

    plan = post(client, "/api/plan", action="move", into=into, only="changed")
    planned = tree(place / "library")
    done = post(client, "/api/apply", plan=plan["plan"])
    again = client.post("/api/apply", json={"plan": plan["plan"]})

    assert planned == before
    assert [Path(row["to"]).name for row in plan["rows"]] == [KEEPER]
    assert (done["done"], done["problems"]) == (1, [])
    assert (place / "rejects" / KEEPER).exists()
    assert (again.status_code, again.json()["kind"]) == (409, "StalePlanError")
    details = client.get(f"/api/shots/{numbers[KEEPER]}").json()
    assert details["missing"] is None
    assert "rejects" in details["moved"]
    assert client.get(f"/pictures/{numbers[KEEPER]}/full").status_code == 200
    undone = post(client, "/api/apply/undo", manifest=done["manifest"])
    assert (undone["undone"], undone["problems"]) == (1, [])
    assert tree(place / "library") == before
    assert client.get(f"/api/shots/{numbers[KEEPER]}").json()["moved"] is None


def test_what_was_moved_is_found_after_a_restart(
    place: Path, client: TestClient, table: Table, numbers: dict[str, int]
) -> None:
    into = {"keeper": str(place / "k"), "reject": str(place / "r")}
    plan = post(client, "/api/plan", action="move", into=into)
    post(client, "/api/apply", plan=plan["plan"])
    other = Table(table.path)
    other.look_around()

    assert other.summary()["missing"] == 0
    assert other.record(numbers[REJECT])["files"] == [str(place / "r" / REJECT)]
    other.close()


def test_sidecars_say_what_the_person_chose_and_are_taken_back(
    place: Path, client: TestClient, table: Table, numbers: dict[str, int]
) -> None:
    before = tree(place / "library")
    choice = {"pick": "keeper", "stars": 4, "label": "blue"}
    table.change({numbers[REJECT]: choice, numbers[KEEPER]: {"stars": 2}}, "", "")

    plan = post(client, "/api/plan", action="xmp", only="changed")
    archive = zipfile.ZipFile(
        io.BytesIO(client.post("/api/export", json={"format": "xmp"}).content)
    )
    exported = tree(place / "library")
    done = post(client, "/api/apply", plan=plan["plan"])

    assert exported == before
    assert plan["total"] == done["done"] == 2
    sidecar = place / "library" / f"{REJECT}.xmp"
    marks = read_sidecar_marks(sidecar)
    assert (marks.rating, marks.label, marks.pick) == (4, "Blue", "accepted")
    assert b"focuskit/keeper" in sidecar.read_bytes()
    assert read_sidecar_marks(place / "library" / f"{KEEPER}.xmp").rating == 2
    inside = {name: archive.read(name) for name in archive.namelist()}
    assert b"Blue" in inside[f"{REJECT}.xmp"]
    assert "more/IMG_0050.jpg.xmp" in inside
    post(client, "/api/apply/undo", manifest=done["manifest"])
    assert tree(place / "library") == before


def test_a_choice_replaces_a_rating_of_another_program_and_nothing_said_leaves_it(
    place: Path, table: Table, numbers: dict[str, int]
) -> None:
    rated = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="-1" xmp:Label="Mine"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    for name in (KEEPER, REJECT):
        (place / "library" / f"{name}.xmp").write_text(rated)
    table.change({numbers[REJECT]: {"pick": "keeper"}}, "", "")

    write_sidecars(table.records(changed=False), place / "out")

    kept = read_sidecar_marks(place / "library" / f"{REJECT}.xmp")
    assert (kept.rating, kept.label, kept.pick) == (None, "Mine", "accepted")
    other = read_sidecar_marks(place / "library" / f"{KEEPER}.xmp")
    assert (other.rating, other.label, other.pick) == (-1, "Mine", None)


@pytest.mark.parametrize(
    "said",
    [
        {"action": "delete", "into": {"reject": "/x"}},
        {"action": "move"},
        {"action": "move", "into": {"reject": " "}},
        {"action": "move", "into": {"keeper": "/x", "reject": "/x"}},
        {"action": "move", "into": {"keeper": "/x\0"}},
        {"action": "move", "into": "/x"},
        {"action": ["move"], "into": {"keeper": "/x"}},
        {},
    ],
)
def test_what_cannot_be_done_is_said(client: TestClient, said: dict[str, Any]) -> None:
    answer = client.post("/api/plan", json=said)

    assert (answer.status_code, answer.json()["kind"]) == (400, "InputError")


@pytest.mark.parametrize(
    "name", ["", "focuskit.catalog", "../library/IMG_0011.jpg", "focuskit-undo-001.jsonl/.."]
)
def test_only_manifests_beside_the_catalog_are_put_back(client: TestClient, name: str) -> None:
    assert client.post("/api/apply/undo", json={"manifest": name}).status_code == 400


def test_a_plan_is_not_done_after_choices_changed(
    place: Path, client: TestClient, table: Table, numbers: dict[str, int]
) -> None:
    into = {"reject": str(place / "rejects")}
    plan = post(client, "/api/plan", action="move", into=into)
    table.change({numbers[REJECT]: {"pick": "keeper"}}, "", "")

    assert client.post("/api/apply", json={"plan": plan["plan"]}).status_code == 409
    assert not (place / "rejects").exists()


def test_a_photo_that_went_elsewhere_in_the_library_is_found_by_its_content(
    place: Path, table: Table, numbers: dict[str, int]
) -> None:
    library = place / "library"
    (library / "new").mkdir()
    shutil.move(library / REJECT, library / "new" / "other name.jpg")
    shutil.move(library / KEEPER, place / KEEPER)
    with (library / "IMG_0015.jpg").open("ab") as file:
        file.write(b"edited")

    tiles = {tile[1]: tile[8] for tile in table.look_around()}

    assert tiles == {KEEPER: ["missing"], "IMG_0015.jpg": ["stale"], REJECT: []}
    assert "other name.jpg" in table.details(numbers[REJECT])["moved"]
    assert "is gone" in table.details(numbers[KEEPER])["missing"]
    assert table.summary()["missing"] == 1
    plan = plan_actions(table.records(changed=False), {"reject": place / "r"}, Action.MOVE)
    assert library / "new" / "other name.jpg" in {
        source for each in plan.transfers for source, _ in each.files
    }
    shutil.move(place / KEEPER, library / KEEPER)
    assert [tile[8] for tile in table.look_around()] == [[]]


def test_a_later_cull_keeps_choices_and_shows_them_also_of_a_renamed_photo(
    place: Path, table: Table, numbers: dict[str, int]
) -> None:
    table.change({numbers[REJECT]: {"pick": "keeper", "stars": 5}}, "", "")
    (place / "library" / REJECT).rename(place / "library" / "renamed.jpg")

    cull(place / "library", place / "out")

    found = record(place, "renamed.jpg")
    assert found["verdict"] == "reject"
    assert found["choice"] == {"pick": "keeper", "stars": 5, "label": None}
    assert "choice" not in record(place, KEEPER)
    header, *rows = (place / "out" / "focuskit-cull.csv").read_text().splitlines()
    assert "your_pick" in header
    assert sum("keeper,5," in row for row in rows) == 1
    assert table.refresh()
    assert table.entry(numbers[REJECT]).name == "renamed.jpg"
    assert "choice" in table.record(numbers[REJECT])


def test_acting_on_the_command_line_follows_choices_made_after_the_cull(
    place: Path, table: Table, numbers: dict[str, int]
) -> None:
    table.change({numbers[KEEPER]: {"pick": "reject"}, numbers[REJECT]: {"pick": "unset"}}, "", "")

    records = with_choices(read_results(place / "out"), place / "out")
    plan = plan_actions(records, {"reject": place / "r"}, Action.MOVE)

    moved = {each.shot for each in plan.transfers}
    assert KEEPER in moved
    assert REJECT not in moved


def test_choices_are_picks_to_calibrate_by(
    place: Path, client: TestClient, table: Table, numbers: dict[str, int]
) -> None:
    table.change(
        {
            numbers[KEEPER]: {"pick": "reject", "stars": 3},
            numbers[REJECT]: {"stars": 4},
            numbers["IMG_0015.jpg"]: {"pick": "unset", "stars": 5},
        },
        "",
        "",
    )
    saved = place / "decisions.json"
    saved.write_bytes(client.get("/api/export?format=json").content)

    for source in (place / "out", place / "out" / CATALOG_NAME, saved):
        read = read_picks(source)
        assert {pick.name: pick.keep for pick in read.picks} == {KEEPER: False, REJECT: True}
        assert (read.silent, read.troubles) == (1, [])


def test_verdicts_of_shots_that_are_no_longer_asked_for_go(place: Path, table: Table) -> None:
    (place / "library" / KEEPER).unlink()
    cull(place / "library", place / "out")

    assert table.refresh()
    names = {entry.name for entry in table.everything()}
    assert KEEPER not in names
    assert REJECT in names
    assert json.dumps(sorted(names)) == json.dumps(
        sorted(each["shot"] for each in read_results(place / "out"))
    )
