"""What pages ask for, and what they get."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from focuskit.batch.catalog import CATALOG_NAME
from focuskit.batch.decision_file import read_decision_file
from focuskit.errors import OutputError
from focuskit.review.table import Table
from tests.unit.review.conftest import Serve

KEEPER, REJECT = "IMG_0011.jpg", "IMG_0012.jpg"
NAME, VERDICT, PICK, STARS, LABEL = 1, 3, 4, 5, 6


def tiles(client: TestClient, query: str = "") -> list[list[object]]:
    groups = client.get(f"/api/shots{query}").json()["groups"]
    return [tile for group in groups for tile in group["shots"]]


def choose(client: TestClient, number: int, **said: object) -> dict[str, object]:
    change = {"client": "me", "what": "something", "changes": [{"id": number, **said}]}
    answer = client.post("/api/choices", json=change)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_sets_stay_together_their_best_first_and_failed_shots_come_last(
    client: TestClient,
) -> None:
    found = client.get("/api/shots").json()

    assert found["total"] == 8
    burst = next(group for group in found["groups"] if group["kind"] == "burst")
    assert {tile[NAME] for tile in burst["shots"]} == {"IMG_0010.jpg", KEEPER, REJECT}
    assert burst["shots"][0][VERDICT] == "keeper"
    assert burst["shots"][-1][NAME] == REJECT
    assert found["groups"][-1]["shots"][-1][NAME] == "broken.jpg"
    assert all(len(tile) == 10 for group in found["groups"] for tile in group["shots"])


def test_numbers_stay_after_a_restart(table: Table, serve: Serve) -> None:
    before = [tile[:2] for tile in tiles(serve())]
    again = Table(table.path)

    assert sorted([entry.id, entry.name] for entry in again.everything()) == sorted(before)
    again.close()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?verdict=failed", ["broken.jpg"]),
        ("?verdict=failed&verdict=cant-tell", ["IMG_0015.jpg", "broken.jpg"]),
        ("?reason=no-texture", ["IMG_0015.jpg"]),
        ("?text=more%20IMG", ["more/IMG_0050.jpg"]),
        ("?label=red", []),
        ("?pick=none&score_min=200", []),
        ("?date_from=2100-01-01", []),
        ("?changed=1", []),
        ("?order=name&verdict=failed&verdict=cant-tell", ["IMG_0015.jpg", "broken.jpg"]),
    ],
)
def test_filters_leave_what_was_asked_for(client: TestClient, query: str, names: list[str]) -> None:
    assert [tile[NAME] for tile in tiles(client, query)] == names


def test_orders(client: TestClient) -> None:
    scores = [tile[7] for tile in tiles(client, "?order=score") if tile[7] is not None]
    best = [tile[7] for tile in tiles(client, "?order=-score") if tile[7] is not None]

    assert scores == sorted(best) == best[::-1]
    assert [tile[NAME] for tile in tiles(client, "?order=name")] == sorted(
        str(tile[NAME]) for tile in tiles(client)
    )


@pytest.mark.parametrize("query", ["?order=luck", "?score_min=x", "?label=pink", "?where=1"])
def test_what_cannot_be_asked_for_is_said(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/shots{query}")

    assert (answer.status_code, answer.json()["kind"]) == (400, "InputError")


def test_a_pick_counts_and_the_runs_verdict_stays(
    client: TestClient, numbers: dict[str, int]
) -> None:
    before = client.get("/api/library").json()["counts"]
    said = choose(client, numbers[REJECT], pick="keeper", stars=4, label="blue")
    after = client.get("/api/library").json()

    tile = said["changed"][0]  # type: ignore[index]
    assert tile[VERDICT : LABEL + 1] == ["reject", "keeper", 4, "blue"]
    assert after["counts"]["keeper"] == before["keeper"] + 1
    assert after["counts"]["reject"] == before["reject"] - 1
    assert (after["counts"]["changed"], after["undo"]) == (1, "something")
    assert REJECT in [each[NAME] for each in tiles(client, "?verdict=keeper")]
    assert [each[NAME] for each in tiles(client, "?stars_min=4")] == [REJECT]
    unset = choose(client, numbers[REJECT], pick="unset")["changed"]
    assert unset[0][PICK] == "unset"  # type: ignore[index]
    assert REJECT in [each[NAME] for each in tiles(client, "?verdict=cant-tell")]


def test_undo_and_redo(client: TestClient, numbers: dict[str, int]) -> None:
    choose(client, numbers[KEEPER], stars=2)
    undone = client.post("/api/undo", json={"client": "me"}).json()
    nothing = client.post("/api/undo", json={"client": "me"}).json()
    redone = client.post("/api/redo", json={"client": "me"}).json()

    assert (undone["changed"][0][STARS], undone["redo"]) == (None, "something")
    assert (nothing["changed"], nothing["version"]) == ([], undone["version"])
    assert (redone["changed"][0][STARS], redone["undo"]) == (2, "something")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"id": 999_999, "stars": 1}, 404),
        ({"id": True, "stars": 1}, 400),
        ({"id": "1", "stars": 1}, 400),
        ({"id": 1, "stars": 9}, 400),
        ({"id": 1, "pick": "maybe"}, 400),
        ({"id": 1, "verdict": "keeper"}, 400),
        ({"id": 10**30, "stars": 1}, 404),
    ],
)
def test_of_a_request_with_a_mistake_nothing_is_done(
    client: TestClient, numbers: dict[str, int], change: dict[str, object], status: int
) -> None:
    both = [{"id": numbers[KEEPER], "stars": 1}, change]
    answer = client.post("/api/choices", json={"client": "me", "changes": both})

    assert answer.status_code == status
    assert client.get("/api/library").json()["counts"]["changed"] == 0


def test_a_full_disk_is_said_and_nothing_is_told_to_pages(
    client: TestClient, table: Table, numbers: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OutputError("The catalog cannot be written (database or disk is full).")

    monkeypatch.setattr(table.journal, "change", full)
    change = {"client": "me", "changes": [{"id": numbers[KEEPER], "stars": 1}]}
    answer = client.post("/api/choices", json=change)

    assert (answer.status_code, answer.json()["kind"]) == (507, "OutputError")
    assert tiles(client, "?changed=1") == []


def test_details_say_it_in_words(client: TestClient, numbers: dict[str, int]) -> None:
    found = client.get(f"/api/shots/{numbers[REJECT]}").json()

    assert found["words"].startswith("Rejected")
    assert found["set"]["kind"] == "burst"
    assert found["set"]["best_id"] != numbers[REJECT]
    assert {"code", "text"} == set(found["reasons"][0])
    region, point = found["region"], found["judged_at"]
    assert region["x"] <= point["x"] <= region["x"] + region["width"] <= 1
    assert all(each["help"] and each["text"] for each in found["numbers"])
    assert found["exif"]["camera"] == "Example Camera One"
    assert found["files"] == [REJECT]
    assert found["missing"] is None
    assert all(found["pictures"].values())


def test_a_raw_and_its_jpeg_are_one_shot(client: TestClient, numbers: dict[str, int]) -> None:
    found = client.get(f"/api/shots/{numbers['IMG_0030.jpg']}").json()

    assert sorted(found["files"]) == ["IMG_0030.dng", "IMG_0030.jpg"]


def test_a_shot_that_failed_says_why(client: TestClient, numbers: dict[str, int]) -> None:
    found = client.get(f"/api/shots/{numbers['broken.jpg']}").json()

    assert (found["verdict"], found["region"], found["numbers"]) == ("failed", None, [])
    assert "broken.jpg" in found["words"]
    assert client.get(f"/pictures/{numbers['broken.jpg']}/photo").status_code == 404


@pytest.mark.parametrize(
    ("what", "longest"),
    [
        ("thumb", 375),
        ("photo", 1600),
        ("overlay", 1600),
        ("overlay?quick=1", 375),
        ("crop", 320),
        ("crop?size=640", 640),
        ("full", 10_000),
    ],
)
def test_pictures_are_upright_and_small_enough(
    client: TestClient, numbers: dict[str, int], what: str, longest: int
) -> None:
    number = numbers["IMG_0042.jpg"]
    answer = client.get(f"/pictures/{number}/{what}")
    details = client.get(f"/api/shots/{number}").json()

    assert answer.headers["content-type"] == "image/jpeg"
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert max(picture.shape[:2]) <= longest
    if "crop" not in what:
        wanted = details["height"] / details["width"]
        assert picture.shape[0] / picture.shape[1] == pytest.approx(wanted, rel=0.02)
    assert b"Exif" not in answer.content


def test_a_picture_is_kept_by_the_browser_where_its_content_is_named(
    client: TestClient, numbers: dict[str, int]
) -> None:
    tile = next(tile for tile in tiles(client) if tile[NAME] == KEEPER)
    path = f"/pictures/{tile[0]}/thumb"
    named, other = client.get(f"{path}?v={tile[9]}"), client.get(f"{path}?v=0000")

    assert "immutable" in named.headers["cache-control"]
    assert "no-cache" in other.headers["cache-control"]
    again = client.get(path, headers={"if-none-match": named.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_decisions_are_exported_as_commands_read_them(
    client: TestClient, numbers: dict[str, int], tmp_path: Path
) -> None:
    choose(client, numbers[REJECT], pick="keeper", stars=0)
    saved = tmp_path / "decisions.json"
    saved.write_bytes(client.get("/api/export?format=json").content)
    table = client.get("/api/export?format=csv")

    (shot, choice), *rest = read_decision_file(saved).choices
    assert (shot, choice.pick, choice.stars, rest) == (REJECT, "keeper", 0, [])
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["shot"], row["verdict"], row["pick"]) for row in rows] == [
        (REJECT, "reject", "keeper")
    ]
    assert "attachment" in table.headers["content-disposition"]
    assert client.get("/api/export?format=xls").status_code == 400


def test_long_answers_are_packed_where_the_browser_unpacks(client: TestClient) -> None:
    plain = client.get("/api/shots/1", headers={"accept-encoding": "identity"})
    with client.stream("GET", "/api/shots/1", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())

    assert "content-encoding" not in plain.headers
    assert json.loads(gzip.decompress(raw)) == plain.json()


def test_what_another_program_chose_is_seen(
    table: Table, client: TestClient, numbers: dict[str, int]
) -> None:
    other = Table(table.path)
    other.change({numbers[KEEPER]: {"stars": 5}}, "five", "other")

    assert table.refresh()
    assert not table.refresh()
    assert table.choices() == other.choices()
    assert table.path.name == CATALOG_NAME
    other.close()
