from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focuskit.batch.agreement import Share, compare, match_picks
from focuskit.batch.picks import Pick, PickRules, read_picks
from focuskit.errors import InputError

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:digiKam="http://www.digikam.org/ns/1.0/" {}/></rdf:RDF></x:xmpmeta>'
)


def _said(path: Path, text: str | bytes, **rules: Any) -> dict[str, bool]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return {pick.name: pick.keep for pick in read_picks(path, PickRules(**rules)).picks}


@pytest.mark.parametrize(
    "text",
    [
        "file,pick\na.jpg,keep\nb.jpg,reject\nc.jpg,\n",
        "\ufeffFile Name;Picked\r\na.jpg;YES\r\nb.jpg;no\r\nc.jpg;maybe\r\n",
        "rating\tname\n3\ta.jpg\n-1\tb.jpg\n0\tc.jpg\n",
        "path,flag\na.jpg,1\nb.jpg,-1\nc.jpg,0\n",
        "file,rating,note\na.jpg,5,\nb.jpg,-1,x\nc.jpg,,\n\n",
    ],
)
def test_tables_are_read_however_they_are_written(tmp_path: Path, text: str) -> None:
    assert _said(tmp_path / "picks.csv", text) == {"a.jpg": True, "b.jpg": False}


def test_a_nought_is_a_reject_where_there_is_no_minus_one(tmp_path: Path) -> None:
    said = _said(tmp_path / "picks.csv", "file,keep\na.jpg,1\nb.jpg,0\n")

    assert said == {"a.jpg": True, "b.jpg": False}


def test_stars_and_labels_mean_what_the_rules_say(tmp_path: Path) -> None:
    text = "file,rating,label\na,4,\nb,2,\nc,,Red\nd,,Green\n"

    assert _said(tmp_path / "picks.csv", text) == {"a": True, "b": True}
    assert _said(
        tmp_path / "picks.csv",
        text,
        keep_from=3,
        keep_labels=frozenset({"green"}),
        reject_labels=frozenset({"red"}),
    ) == {"a": True, "b": False, "c": False, "d": True}


def test_what_is_not_understood_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "picks.csv"
    table.write_text("file,pick,rating\na,keep,-1\nb,perhaps!,\n,keep,\nc,keep,9\nd,reject,\n")

    read = read_picks(table)

    assert [pick.name for pick in read.picks] == ["d"]
    assert [trouble.partition(":")[0] for trouble in read.troubles] == [
        f"picks.csv, line {number}" for number in (2, 3, 4, 5)
    ]
    assert "contradict each other" in read.troubles[0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("picks.csv", b"file,size\na,3\n", "a column for the photo"),
        ("picks.csv", b"", "found nothing"),
        ("picks.json", b"{}", "holds no decisions"),
        ("picks.doc", b"{}", "neither a folder nor a table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, text: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(text)

    with pytest.raises(InputError, match=words):
        read_picks(tmp_path / name)


def test_picks_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picks at"):
        read_picks(tmp_path / "none.csv")


def test_folders_say_what_was_kept(tmp_path: Path) -> None:
    for name in ("Keepers/a.jpg", "Keepers/day/b.CR2", "rejects/c.jpg", "other/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    picks = {Path(pick.name).name: pick.keep for pick in read_picks(tmp_path).picks}

    assert picks == {"a.jpg": True, "b.CR2": True, "c.jpg": False}


def test_sidecars_say_what_was_rated_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_text(XMP.format('xmp:Rating="4"'))
    (tmp_path / "b.CR2.xmp").write_text(XMP.format('xmp:Rating="-1"'))
    (tmp_path / "c.xmp").write_text(XMP.format('digiKam:PickLabel="1"'))
    (tmp_path / "d.xmp").write_text(XMP.format('digiKam:PickLabel="1" xmp:Rating="5"'))
    (tmp_path / "e.xmp").write_text(XMP.format('xmp:Rating="0"'))
    (tmp_path / "f.xmp").write_text("<x:xmpmeta")

    read = read_picks(tmp_path)

    assert {Path(pick.name).name: pick.keep for pick in read.picks} == {
        "a": True,
        "b.CR2": False,
        "c": False,
    }
    assert read.silent == 1
    assert ["contradict" in trouble for trouble in read.troubles] == [True, False]
    assert "f.xmp" in read.troubles[1]


def _record(shot: str, verdict: str = "keeper", code: str = "sharp", **more: Any) -> dict[str, Any]:
    reasons = [{"code": code, "text": f"Because of {code}."}]
    return {
        "shot": shot,
        "files": [f"/library/{shot}"],
        "verdict": verdict,
        "reasons": reasons,
        "confidence": 0.5,
    } | more


def _pick(name: str, keep: bool = True) -> Pick:
    return Pick(name, keep, "pick", "picks.csv, line 2")


@pytest.mark.parametrize(
    "name",
    ["one/IMG_1.jpg", "/library/one/IMG_1.jpg", "ONE\\img_1.JPG", "/moved/one/IMG_1", "one/IMG_1"],
)
def test_a_pick_finds_its_shot(name: str) -> None:
    records = [_record("one/IMG_1.jpg"), _record("two/IMG_1.jpg")]

    assert list(match_picks([_pick(name)], records).picks) == ["one/IMG_1.jpg"]


def test_accents_and_partners_do_not_hide_a_shot() -> None:
    record = _record("Blüte.jpg", files=["/library/Blüte.jpg", "/library/Blüte.CR2"])

    matched = match_picks([_pick("Blu\u0308te.CR2")], [record])

    assert list(matched.picks) == ["Blüte.jpg"]


def test_picks_that_fit_none_several_or_each_other_badly_are_named() -> None:
    records = [_record("one/IMG_1.jpg"), _record("two/IMG_1.jpg"), _record("IMG_2.jpg")]
    picks = [_pick("IMG_1.jpg"), _pick("IMG_9.jpg"), _pick("IMG_2"), _pick("IMG_2.jpg", False)]

    matched = match_picks(picks, records)

    assert matched.picks == {}
    assert "may be one/IMG_1.jpg or two/IMG_1.jpg" in matched.troubles[0]
    assert "no shot called IMG_9.jpg" in matched.troubles[1]
    assert "contradict" in matched.troubles[2]


def test_figures_are_counted_as_told() -> None:
    records = [
        _record("a", "reject", "defocus", confidence=0.2),
        _record("b", "reject", "motion", confidence=0.9),
        _record("c", "reject", "defocus"),
        _record("d"),
        _record("e"),
        _record("f", "cant-tell", "close-call"),
        _record("g", "failed"),
        _record("h"),
    ]
    keep = {"a": True, "b": True, "c": False, "d": True, "e": False, "f": False, "g": True}

    found = compare(records, {name: _pick(name, kept) for name, kept in keep.items()})

    assert (found.reject_precision.hits, found.reject_precision.of) == (1, 3)
    assert (found.reject_recall.hits, found.reject_recall.of) == (1, 3)
    assert (found.keepers_lost.hits, found.keepers_lost.of) == (2, 3)
    assert (found.left_to_the_eye.hits, found.left_to_the_eye.of) == (1, 6)
    assert (found.without_pick, found.failed) == (1, 1)
    assert found.by_reason["defocus", True] == found.by_reason["defocus", False] == 1
    assert [row["shot"] for row in found.rows][:3] == ["b", "e", "a"]


@given(hits=st.integers(0, 60), more=st.integers(0, 60))
def test_the_interval_holds_the_share_and_narrows_with_more_photos(hits: int, more: int) -> None:
    share, larger = Share(hits, hits + more), Share(10 * hits, 10 * (hits + more))
    low, high = share.interval

    if not share.of:
        assert math.isnan(share.value)
        assert (low, high) == (0, 1)
        return
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1
    assert larger.interval[1] - larger.interval[0] < high - low


def test_wilson_as_published() -> None:
    # Newcombe 1998, table I: 15 of 148.
    assert Share(15, 148).interval == pytest.approx((0.0624, 0.1605), abs=1e-4)
