"""The report: what it says is what the records say, and nothing in it leads outside."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from focuskit.batch.pictures import jpeg
from focuskit.errors import OutputExistsError
from focuskit.review.summary import Report, write_report
from tests.unit.review.records import failed_record, judged_record, write_records

Record = dict[str, Any]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&{{7*7}}"


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.inside: list[str] = []
        self.blocks: dict[str, list[str]] = {"style": [], "script": []}
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag in self.blocks:
            self.blocks[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.inside:
            del self.inside[len(self.inside) - 1 - self.inside[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] in self.blocks:
            self.blocks[self.inside[-1]][-1] += data
        else:
            self.text.append(data)

    def with_class(self, name: str) -> list[dict[str, str | None]]:
        return [each for _, each in self.elements if name in (each.get("class") or "").split()]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., tuple[Page, str]]:
    def make(records: list[Record], **asked: Any) -> tuple[Page, str]:
        write_records(tmp_path, records)
        file = tmp_path / "page.html"
        write_report(tmp_path, file, Report(**asked), overwrite=True)
        source = file.read_text(encoding="utf-8")
        return Page(source), source

    return make


def mixed(count: int, seed: int = 1) -> list[Record]:
    rng = random.Random(seed)
    return [judged_record(number, rng) for number in range(count)]


def put_pictures(folder: Path, records: list[Record], size: int = 375) -> None:
    pictures = folder / "focuskit-cull-pictures"
    pictures.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    grain = rng.integers(0, 256, (size * 2 // 3, size, 3), dtype=np.uint8)
    data = jpeg(grain), jpeg(np.ascontiguousarray(grain[:300, :300]))
    for record in records:
        for kind, picture in zip(("photo", "crop"), data, strict=True):
            (pictures / f"{record['pictures']}-{kind}.jpg").write_bytes(picture)


@pytest.mark.parametrize("count", [1, 2, 5, 60, 400])
def test_its_numbers_are_those_of_the_records(
    made: Callable[..., tuple[Page, str]], count: int
) -> None:
    records = [*mixed(count), failed_record("broken.jpg")]
    counts = Counter(record["verdict"] for record in records)

    page, _ = made(records)

    shown = re.search(
        r"([\d,]+) shots? ([\d,]+) keepers? ([\d,]+) rejects? ([\d,]+) can’t tell ([\d,]+) could",
        page.words,
    )
    assert shown is not None
    numbers = [int(each.replace(",", "")) for each in shown.groups()]
    assert numbers == [count + 1, *(counts[v] for v in ("keeper", "reject", "cant-tell")), 1]
    tiles = page.with_class("tile")
    assert Counter(tile["class"] for tile in tiles) == {
        f"tile {verdict}": counts[verdict]
        for verdict in ("keeper", "reject", "cant-tell")
        if counts[verdict]
    }
    assert len({tile["data-shot"] for tile in tiles}) == count


def test_every_reference_is_inside_the_file(
    made: Callable[..., tuple[Page, str]], tmp_path: Path
) -> None:
    records = mixed(30)
    put_pictures(tmp_path, records)

    page, source = made(records)

    pointing = ("src", "href", "xlink:href", "srcset", "action", "poster", "data", "background")
    references = [each[key] or "" for _, each in page.elements for key in pointing if key in each]
    assert len(references) > 60
    assert all(each.startswith(("data:", "#")) for each in references)
    assert "url(" not in source
    assert "@import" not in source
    for _, each in page.elements:
        assert "style" not in each
        assert not any(key.startswith("on") for key in each)


def test_links_inside_the_page_lead_somewhere_and_ids_are_unique(
    made: Callable[..., tuple[Page, str]], tmp_path: Path
) -> None:
    records = mixed(40)
    put_pictures(tmp_path, records)

    page, _ = made(records)

    ids = [each["id"] for _, each in page.elements if each.get("id")]
    assert len(ids) == len(set(ids))
    targets = [each["href"] or "" for tag, each in page.elements if tag == "a"]
    assert targets
    assert {target[1:] for target in targets} <= set(ids)
    plots = page.with_class("plot")
    assert len(plots) >= 5
    for plot in plots:
        assert set((plot["aria-labelledby"] or "").split()) <= set(ids)


def test_only_its_own_script_and_style_may_run(made: Callable[..., tuple[Page, str]]) -> None:
    page, _ = made(mixed(12))

    (policy,) = [
        each["content"] or ""
        for tag, each in page.elements
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    style, script = page.blocks["style"][0], page.blocks["script"][-1]
    for text in (style, script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert len(page.blocks["style"]) == 1
    assert len(page.blocks["script"]) == 2


def test_hostile_names_and_exif_are_shown_as_text(made: Callable[..., tuple[Page, str]]) -> None:
    records = mixed(8)
    names = [HOSTILE, "a\u202egpj.exe", "new\nline\x1b[2J.jpg", "bytes\udcff.jpg", "x" * 400]
    for record, name in zip(records, names, strict=False):
        record["shot"], record["files"] = name, [f"/home/anna/lib/{name}"]
    for record in records:
        record["exif"] |= {"camera": HOSTILE, "lens": "<svg onload=alert(1)>" * 9}
        record["reasons"].append({"code": HOSTILE, "text": HOSTILE})
        record["region"]["kind"] = HOSTILE
    records.append(failed_record(HOSTILE, HOSTILE))

    page, source = made(records, title=HOSTILE)

    clean, _ = made([*mixed(8), failed_record("x.jpg")])
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in clean.elements}
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert HOSTILE in " ".join(page.text)
    assert not re.search("[\u202e\x1b]", source)
    data = json.loads(page.blocks["script"][0])
    assert set(names) <= set(data["shots"].values())


def test_folders_on_the_way_to_the_library_stay_private(
    made: Callable[..., tuple[Page, str]],
) -> None:
    records = mixed(6)
    records[0]["reasons"].append(
        {"code": "partner-unreadable", "text": f"{records[0]['files'][0]} is cut off."}
    )
    records.append(failed_record("day 2/b c.jpg", "/home/anna/my lib/day 2/b c.jpg is empty."))

    page, source = made(records)

    assert "anna" not in source
    assert "day 2/b c.jpg is empty." in page.words
    assert json.loads(page.blocks["script"][0])["document"]["library"] == "lib"


@pytest.mark.parametrize(
    "records",
    [
        [failed_record("a.jpg"), failed_record("b.jpg")],
        [judged_record(0, random.Random(1), verdict="cant-tell")],
        [judged_record(0, random.Random(1), verdict="reject")],
        [judged_record(n, random.Random(n), exif={}) for n in range(4)],
        [{"shot": "old.jpg", "verdict": "keeper"}, {"shot": "older.jpg", "verdict": "odd"}],
        [judged_record(0, random.Random(1)) | {"exif": None, "region": 7, "score": "x", "set": []}],
    ],
    ids=["all failed", "can't tell", "one reject", "no EXIF", "old records", "damaged"],
)
def test_little_to_say_is_still_a_page(
    made: Callable[..., tuple[Page, str]], records: list[Record]
) -> None:
    page, source = made(records)

    assert f"{len(records)} shot" in page.words
    assert "nan" not in page.words.split()
    assert "None" not in page.words
    assert source.rstrip().endswith("</html>")
    assert (page.inside or ["html"])[0] == "html"


def test_pictures_yield_to_the_size_that_was_asked_for(
    made: Callable[..., tuple[Page, str]], tmp_path: Path
) -> None:
    records, most_bytes = mixed(600), 2_000_000
    put_pictures(tmp_path, records, size=240)

    page, source = made(records, most_bytes=most_bytes)

    # Nothing is heavier than noise.
    assert most_bytes / 3 < len(source.encode()) <= most_bytes
    assert len(page.with_class("card")) > 40
    assert 0 < len(page.with_class("tile")) < 600


def test_best_and_worst_come_in_the_order_of_their_scores(
    made: Callable[..., tuple[Page, str]],
) -> None:
    records = mixed(90)
    frames = [record for record in records if record["verdict"] == "keeper"][:3]
    for rank, record in enumerate(frames, start=1):
        record["score"] = 101.0 - rank
        record["set"] = {"kind": "burst", "number": 1, "size": 3, "rank": rank}

    page, _ = made(records, best=7)

    cards = [
        int(each["data-shot"] or "")
        for tag, each in page.elements
        if tag == "article"
    ]  # fmt: skip
    best, worst = cards[:7], cards[7:14]
    assert len(set(cards)) == len(cards) == 7 + 7 + 4
    for chosen, verdict, order in ((best, "keeper", -1), (worst, "reject", 1)):
        scores = [order * records[number]["score"] for number in chosen]
        assert {records[number]["verdict"] for number in chosen} == {verdict}
        assert scores == sorted(scores)
    # Of a burst its best frame stands for all.
    assert records[best[0]] is frames[0]
    assert not {records.index(each) for each in frames[1:]} & set(best)


def test_heat_tables_count_every_shot_that_exif_knows(
    made: Callable[..., tuple[Page, str]],
) -> None:
    records = mixed(200)
    for record in records[:20]:
        record["exif"]["f_number"] = None

    _, source = made(records)

    table = source.split('data-heat="f-number"')[1].split("</table>")[0]
    assert sum(int(each) for each in re.findall(r"of ([\d,]+)</span>", table)) == 180
    assert "20 shots without them in EXIF left out" in source


def test_decisions_of_a_person_count(made: Callable[..., tuple[Page, str]]) -> None:
    records = [judged_record(n, random.Random(n), verdict="reject") for n in range(3)]
    records[1]["choice"] = {"pick": "keeper", "stars": None, "label": None}
    records.append(failed_record("4.jpg") | {"choice": {"pick": "keeper"}})

    page, _ = made(records)

    assert "1 decision of yours counted in" in page.words
    assert "4 shots 1 keeper 2 rejects 0 can’t tell 1 could not be read" in page.words


def test_what_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_records(tmp_path, mixed(1))
    file = tmp_path / "page.html"
    file.write_text("mine")

    with pytest.raises(OutputExistsError):
        write_report(tmp_path, file)

    assert file.read_text() == "mine"


def test_damaged_pictures_are_counted_and_the_rest_is_shown(tmp_path: Path) -> None:
    records = mixed(6)
    put_pictures(tmp_path, records)
    pictures = tmp_path / "focuskit-cull-pictures"
    (pictures / f"{records[0]['pictures']}-photo.jpg").write_bytes(b"")
    (pictures / f"{records[1]['pictures']}-photo.jpg").write_bytes(b"no picture")
    (pictures / f"{records[2]['pictures']}-photo.jpg").unlink()
    records[3]["pictures"] = "../../../etc/passwd"

    write_records(tmp_path, records)
    written = write_report(tmp_path, tmp_path / "page.html")

    assert (written.shots, written.unpictured) == (6, 3)


def test_a_larger_picture_is_taken_where_the_review_left_one(
    made: Callable[..., tuple[Page, str]], tmp_path: Path
) -> None:
    records = [judged_record(0, random.Random(1), verdict="keeper")]
    put_pictures(tmp_path, records)
    large = tmp_path / "focuskit-cull-pictures" / "large"
    large.mkdir()
    gray = jpeg(np.full((1000, 1500, 3), 128, np.uint8))
    (large / f"{records[0]['pictures']}-photo.jpg").write_bytes(gray)

    page, _ = made(records)

    (image,) = [each for tag, each in page.elements if tag == "img" and each["alt"] == "0.jpg"]
    data = base64.b64decode((image["src"] or "").split(",")[1])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (600, 900, 3)


def test_pictures_are_those_of_the_cull(
    made: Callable[..., tuple[Page, str]], tmp_path: Path
) -> None:
    records = [judged_record(0, random.Random(1), verdict="keeper")]
    put_pictures(tmp_path, records)
    gray = np.full((200, 300, 3), 128, np.uint8)
    name = f"{records[0]['pictures']}-photo.jpg"
    (tmp_path / "focuskit-cull-pictures" / name).write_bytes(jpeg(gray))

    page, _ = made(records)

    (image,) = [each for tag, each in page.elements if tag == "img" and each["alt"] == "0.jpg"]
    data = base64.b64decode((image["src"] or "").split(",")[1])
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (200, 300, 3)
    assert np.abs(shown.astype(int) - 128).max() <= 3


def test_where_not_all_shots_fit_bursts_are_listed_as_a_whole(
    made: Callable[..., tuple[Page, str]],
) -> None:
    records = mixed(900)
    for number, record in enumerate(records[:300]):
        burst, rank = divmod(number, 3)
        record["set"] = {"kind": "burst", "number": burst, "size": 3, "rank": rank + 1}
        record["confidence"] = 0.9

    page, _ = made(records, most_bytes=2_000_000)

    listed = {int(tile["data-shot"] or "") for tile in page.with_class("tile")}
    bursts = Counter(number // 3 for number in listed if number < 300)
    assert 0 < len(listed) < 900
    # The page may end within one.
    assert sum(count < 3 for count in bursts.values()) <= 1
    sure = [record["confidence"] for n, record in enumerate(records) if n not in listed]
    singles = [records[number]["confidence"] for number in listed if number >= 300]
    assert max(singles) <= min(sure)
