"""Sidecars: what others wrote stays, what people said counts, and hostile files are refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from focuskit.errors import SidecarConflictError
from focuskit.io.marks import Marks, read_embedded_marks, read_sidecar_marks
from focuskit.io.sidecar import Note, merged_sidecar
from focuskit.io.sidecar_names import SidecarNaming, sidecars_of, sidecars_to_write
from focuskit.io.xmp import MOST_BYTES, Packet

NOTE = Note("reject", ("defocus", "softer-in-burst"), {"Score": "12.5", "Model": "m@1"})
KEEP = Note("keeper", ("sharp",), {"Score": "88.0"})

DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
   exif:DateTimeOriginal="2024:05:18 10:02:11.200"
   xmp:Rating="4"
   darktable:xmp_version="5"
   darktable:history_end="2"
   darktable:iop_order_version="4">
   <!-- kept -->
   <darktable:history>
    <rdf:Seq>
     <rdf:li darktable:num="0" darktable:operation="rawprepare" darktable:params="00ff"/>
     <rdf:li darktable:num="1" darktable:operation="exposure" darktable:params="gz02eJx"/>
    </rdf:Seq>
   </darktable:history>
   <dc:subject><rdf:Bag><rdf:li>owl</rdf:li><rdf:li>focuskit/keeper</rdf:li></rdf:Bag></dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
LIGHTROOM = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <rdf:Description rdf:about="" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
  crs:Exposure2012="+0.35"><crs:ToneCurve><rdf:Seq><rdf:li>0, 0</rdf:li></rdf:Seq></crs:ToneCurve>
 </rdf:Description>
 <rdf:Description rdf:about="" xmlns:xap="http://ns.adobe.com/xap/1.0/"><xap:Label>Blau</xap:Label>
 </rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def _packet(inside: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'xmlns:digiKam="http://www.digikam.org/ns/1.0/">{inside}</rdf:RDF></x:xmpmeta>'
    ).encode()


def _parts(data: bytes) -> list[tuple[object, ...]]:
    """Everything in a packet, in its order: comments and processing instructions too."""
    root = etree.fromstring(data)
    outside = [*root.itersiblings(preceding=True), *root.itersiblings()]
    return [
        (str(each.tag), sorted(each.attrib.items()), (each.text or "").strip())
        for each in [*outside, *root.iter()]
    ]


def _is_within(some: list[tuple[object, ...]], more: list[tuple[object, ...]]) -> bool:
    rest = iter(more)
    return all(part in rest for part in some)


def test_a_new_sidecar_says_it_to_every_program() -> None:
    packet = Packet(merged_sidecar(None, NOTE, "x", raw_suffix="CR2", darktable=True), "x")

    assert packet.value("xmp:Rating") == "-1"
    assert packet.value("xmp:Label") == "Red"
    assert packet.value("digiKam:PickLabel") == "1"
    assert packet.value("digiKam:ColorLabel") == "1"
    assert packet.items("darktable:colorlabels") == ["0"]
    assert packet.value("photoshop:SidecarForExtension") == "CR2"
    words = ["reject", "defocus", "softer-in-burst"]
    assert packet.items("dc:subject") == [f"focuskit/{word}" for word in words]
    assert packet.items("lr:hierarchicalSubject") == [f"focuskit|{word}" for word in words]
    assert packet.value("focuskit:Verdict") == "reject"
    assert packet.value("focuskit:Model") == "m@1"
    assert packet.items("focuskit:Reasons") == ["defocus", "softer-in-burst"]


@pytest.mark.parametrize("before", [DARKTABLE, LIGHTROOM])
def test_everything_of_others_stays_in_its_order(before: bytes) -> None:
    after = merged_sidecar(before, NOTE, "x", marks=Marks(rating=4))

    foreign = [part for part in _parts(before) if part[2] != "focuskit/keeper"]
    assert _is_within(foreign, _parts(after))
    assert Packet(after, "x").value("focuskit:Verdict") == "reject"
    assert after.startswith(before[:9])


def test_our_keywords_are_replaced_and_others_kept() -> None:
    after = Packet(merged_sidecar(DARKTABLE, NOTE, "x"), "x")

    subjects = ["owl", "focuskit/reject", "focuskit/defocus", "focuskit/softer-in-burst"]
    assert after.items("dc:subject") == subjects


@pytest.mark.parametrize("before", [None, DARKTABLE, LIGHTROOM])
def test_a_second_time_changes_not_a_byte(before: bytes | None) -> None:
    once = merged_sidecar(before, NOTE, "x", darktable=True)

    assert merged_sidecar(once, NOTE, "x", darktable=True) == once


def test_our_own_rating_follows_the_next_verdict(tmp_path: Path) -> None:
    once = merged_sidecar(None, NOTE, "x", darktable=True)
    (tmp_path / "a.xmp").write_bytes(once)

    assert not read_sidecar_marks(tmp_path / "a.xmp")
    again = Packet(merged_sidecar(once, KEEP, "x", darktable=True), "x")
    assert again.value("xmp:Rating") == "1"
    assert again.value("xmp:Label") == "Green"
    assert again.items("darktable:colorlabels") == ["2"]


def test_what_a_person_rated_gets_no_other_rating_label_or_pick() -> None:
    after = Packet(merged_sidecar(DARKTABLE, NOTE, "x", marks=Marks(rating=4)), "x")

    assert after.value("xmp:Rating") == "4"
    assert after.value("xmp:Label") is None
    assert after.value("digiKam:PickLabel") is None


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ('xmp:Label="Mine"', "Mine"),
        ('digiKam:ColorLabel="5"', "Blue"),
        ('digiKam:ColorLabel="0"', None),
        ("dt 4", "Purple"),
        ("dt 3,0", "Blue"),
    ],
)
def test_a_colour_is_a_label_whoever_counts_it(
    tmp_path: Path, said: str, label: str | None
) -> None:
    inside = f"<rdf:Description {said}/>"
    if said.startswith("dt "):
        items = "".join(f"<rdf:li>{each}</rdf:li>" for each in said[3:].split(","))
        inside = (
            '<rdf:Description xmlns:darktable="http://darktable.sf.net/"><darktable:colorlabels>'
            f"<rdf:Seq>{items}</rdf:Seq></darktable:colorlabels></rdf:Description>"
        )
    path = tmp_path / "a.CR2.xmp"
    path.write_bytes(_packet(inside))
    marks = read_sidecar_marks(path)

    once = merged_sidecar(path.read_bytes(), NOTE, "x", marks=marks, darktable=True)
    path.write_bytes(once)

    assert marks.label == label
    assert read_sidecar_marks(path).label == label
    wanted = {"Mine": "Mine", None: "Red"}.get(label)
    assert Packet(once, "x").value("xmp:Label") == wanted
    again = read_sidecar_marks(path)
    assert merged_sidecar(once, NOTE, "x", marks=again, darktable=True) == once


def test_what_darktable_makes_of_our_keywords_does_not_stay() -> None:
    """It writes every level of a hierarchy as a keyword; seen with darktable 4.2.1."""
    once = merged_sidecar(None, KEEP, "x").decode()
    bag = "<rdf:Bag><rdf:li>focuskit/keeper</rdf:li><rdf:li>focuskit/sharp</rdf:li></rdf:Bag>"
    words = ("focuskit", "keeper", "sharp", "owl")
    split = "<rdf:Bag>" + "".join(f"<rdf:li>{word}</rdf:li>" for word in words) + "</rdf:Bag>"
    assert bag in once
    rewritten = once.replace(bag, split).replace(
        "<rdf:li>focuskit|sharp</rdf:li>", "<rdf:li>focuskit|sharp</rdf:li><rdf:li>owl</rdf:li>"
    )
    theirs = rewritten.replace("<rdf:li>owl</rdf:li>", "<rdf:li>look|sharp</rdf:li>")

    ours = ["focuskit/reject", "focuskit/defocus", "focuskit/softer-in-burst"]
    after = Packet(merged_sidecar(rewritten.encode(), NOTE, "x"), "x")
    assert after.items("dc:subject") == ["owl", *ours]
    assert "focuskit|keeper" not in after.items("lr:hierarchicalSubject")
    after = Packet(merged_sidecar(theirs.encode(), NOTE, "x"), "x")
    assert after.items("dc:subject") == ["sharp", "look|sharp", *ours]


@pytest.mark.parametrize("before", [DARKTABLE, LIGHTROOM])
@pytest.mark.parametrize(
    "disguise",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        lambda data: data.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1", "ignore"),
    ],
    ids=["bom", "crlf", "utf-16", "latin-1"],
)
def test_sidecars_are_merged_however_they_are_encoded(
    before: bytes, disguise: Callable[[bytes], bytes]
) -> None:
    if before is LIGHTROOM:
        # It declares nothing, so other encodings than Unicode's are not its own.
        before = before.replace(b"\xef\xbb\xbf", b"")
    written = disguise(before)

    after = merged_sidecar(written, NOTE, "x")

    assert Packet(after, "x").value("focuskit:Verdict") == "reject"
    assert after.count(b"\r\n") in (0, after.count(b"\n"))
    assert (b"\r\n" in after) == (b"\r\n" in written)
    assert merged_sidecar(after, NOTE, "x") == after
    theirs, found = (
        {pair for part in _parts(data) for pair in part[1]}  # type: ignore[attr-defined]
        for data in (before, after)
    )
    assert theirs <= found


def test_a_rating_elsewhere_takes_our_earlier_one_away() -> None:
    once = merged_sidecar(None, NOTE, "x", darktable=True)

    after = Packet(merged_sidecar(once, NOTE, "x", marks=Marks(rating=5), darktable=True), "x")

    assert after.value("xmp:Rating") is None
    assert after.value("xmp:Label") is None
    assert after.items("darktable:colorlabels") == []


def test_ratings_are_overwritten_only_when_told() -> None:
    marks = Marks(rating=4)

    after = merged_sidecar(DARKTABLE, NOTE, "x", marks=marks, overwrite_ratings=True)

    assert Packet(after, "x").value("xmp:Rating") == "-1"
    assert _is_within(
        [part for part in _parts(DARKTABLE) if "li" in str(part[0])][:2], _parts(after)
    )


def test_marks_are_read_however_they_are_written(tmp_path: Path) -> None:
    cases = {
        '<rdf:Description xmp:Rating="-1"/>': Marks(rating=-1),
        "<rdf:Description><xmp:Rating>3</xmp:Rating></rdf:Description>": Marks(rating=3),
        '<rdf:Description/><rdf:Description xmp:Label="Rot"/>': Marks(label="Rot"),
        '<rdf:Description digiKam:PickLabel="3" xmp:Rating="0"/>': Marks(pick="accepted"),
        '<rdf:Description xmp:Rating="many"/>': Marks(),
        '<rdf:Description xmp:Rating="99"/>': Marks(rating=5),
        '<rdf:Description xmp:Rating="nan"/>': Marks(),
    }
    for number, (inside, wanted) in enumerate(cases.items()):
        path = tmp_path / f"{number}.xmp"
        path.write_bytes(_packet(inside))
        found = read_sidecar_marks(path)
        assert (found.rating, found.label, found.pick) == (wanted.rating, wanted.label, wanted.pick)
        assert found.source == (path if wanted else None)


@pytest.mark.parametrize("order", ["<", ">"])
def test_ratings_of_the_camera_are_read(tmp_path: Path, order: str) -> None:
    import struct

    head = {"<": b"II*\0", ">": b"MM\0*"}[order]
    exif = head + struct.pack(f"{order}IHHHIHHI", 8, 1, 0x4746, 3, 1, 4, 0, 0)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif)

    assert read_embedded_marks(path).rating == 4
    path.write_bytes(b"\xff\xd8\xff\xe1\0\0http://ns.adobe.com/xap/1.0/\0" + LIGHTROOM)
    assert read_embedded_marks(path).label == "Blau"
    path.write_bytes(b"\xff\xd8\xff\xe1" + LIGHTROOM.replace(b"<rdf:RDF", b"<"))
    assert not read_embedded_marks(path)


LAUGHS = b"<!DOCTYPE x:xmpmeta [<!ENTITY l0 'ha'>" + b"".join(
    b"<!ENTITY l%d '%s'>" % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 12)
)
LAUGHS += b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&l11;</x:xmpmeta>"
ENTITIES = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "well-formed"),
        (b"\0\1\2 no xml", "well-formed"),
        (DARKTABLE[:-30], "well-formed"),
        (b"<a/>", "no XMP"),
        (ENTITIES + _packet("<rdf:Description/>"), "entities"),
        ((ENTITIES + b"<a>&d;</a>").decode().encode("utf-16"), "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (LAUGHS, "entities"),
        (b"<a>" * 5000 + b"</a>" * 5000, "well-formed"),
        (b" " * (MOST_BYTES + 1), "MB"),
    ],
    ids=[
        "empty",
        "bytes",
        "cut",
        "other",
        "entities",
        "utf16",
        "external",
        "laughs",
        "deep",
        "huge",
    ],
)
def test_what_is_no_plain_xmp_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(SidecarConflictError, match=why) as refusal:
        merged_sidecar(content, NOTE, "IMG.xmp")
    assert str(refusal.value).startswith("IMG.xmp is left as it is")


@pytest.mark.parametrize(
    "inside",
    [
        "<rdf:Description><dc:subject>owl</dc:subject></rdf:Description>",
        '<rdf:Description dc:subject="owl"/>',
        "<rdf:Description><xmp:Label><rdf:Bag/></xmp:Label></rdf:Description>",
    ],
)
def test_properties_of_another_shape_are_refused(inside: str) -> None:
    with pytest.raises(SidecarConflictError, match=r"no list|no simple value"):
        merged_sidecar(_packet(inside), NOTE, "x")


def test_folders_and_links_are_no_sidecars(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").mkdir()
    (tmp_path / "b.xmp").symlink_to(tmp_path / "a.xmp")

    with pytest.raises(SidecarConflictError, match="regular"):
        read_sidecar_marks(tmp_path / "a.xmp")
    with pytest.raises(SidecarConflictError, match="symbolic link"):
        read_sidecar_marks(tmp_path / "b.xmp")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=12)


@settings(max_examples=40)
@given(
    keywords=st.lists(TEXT.map(str.strip).filter(bool), max_size=5, unique=True),
    rating=st.sampled_from(["", "0", "3", "-1"]),
    attribute=st.booleans(),
    note=st.sampled_from([NOTE, KEEP, Note("cant-tell", (), {})]),
)
def test_merging_is_a_law(keywords: list[str], rating: str, attribute: bool, note: Note) -> None:
    from xml.sax.saxutils import escape

    bag = "".join(f"<rdf:li>{escape(word)}</rdf:li>" for word in keywords)
    stars = f'xmp:Rating="{rating}"' if rating and attribute else ""
    element = f"<xmp:Rating>{rating}</xmp:Rating>" if rating and not attribute else ""
    before = _packet(
        f"<rdf:Description {stars}>{element}<dc:title>a<rdf:x/>b</dc:title>"
        f"<dc:subject><rdf:Bag>{bag}</rdf:Bag></dc:subject></rdf:Description>"
    )
    judged = Marks(rating=int(rating)) if rating not in ("", "0") else Marks()

    after = merged_sidecar(before, note, "x", marks=judged)
    packet = Packet(after, "x")

    theirs = [word for word in keywords if not word.startswith("focuskit/")]
    assert packet.items("dc:subject")[: len(theirs)] == theirs
    assert b"a<rdf:x/>b" in after
    ours = {"keeper": "1", "reject": "-1"}.get(note.verdict, rating or None)
    assert packet.value("xmp:Rating") == (rating if judged else ours)
    assert merged_sidecar(after, note, "x", marks=judged) == after


def _names(folder: Path, files: list[str], names: list[str], naming: SidecarNaming) -> list[str]:
    paths = [folder / name for name in files]
    return [path.name for path in sidecars_to_write(paths, [*files, *names], naming)]


@pytest.mark.parametrize(
    ("files", "names", "naming", "wanted"),
    [
        (["a.CR2"], [], "auto", ["a.xmp"]),
        (["a.CR2"], ["a.CR2.xmp"], "auto", ["a.CR2.xmp"]),
        (["a.CR2"], ["a.XMP"], "auto", ["a.XMP"]),
        (["a.CR2"], ["a.xmp", "a.cr2.xmp"], "auto", ["a.xmp", "a.cr2.xmp"]),
        (["a.jpg", "a.CR2"], [], "adobe", ["a.xmp"]),
        (["a.jpg", "a.CR2"], [], "darktable", ["a.jpg.xmp", "a.CR2.xmp"]),
        (["a.jpg", "a.CR2"], ["a.CR2.xmp"], "auto", ["a.jpg.xmp", "a.CR2.xmp"]),
        (["a.jpg", "a.CR2"], [], "both", ["a.xmp", "a.jpg.xmp", "a.CR2.xmp"]),
        # The RAW beside it is another photo, whose IMG.xmp this would be.
        (["a.jpg"], ["a.CR2"], "adobe", ["a.jpg.xmp"]),
        (["a.jpg"], ["A.NEF", "a.xmp"], "auto", ["a.jpg.xmp"]),
        (["a.CR2"], ["a.jpg"], "adobe", ["a.xmp"]),
        (["a.jpg"], ["a.png"], "adobe", ["a.jpg.xmp"]),
        # Adobe's programs read no sidecar beside a JPEG; darktable and digiKam read this one.
        (["a.jpg"], [], "auto", ["a.jpg.xmp"]),
        (["a.jpg"], ["a.xmp"], "auto", ["a.xmp"]),
        (["a.jpg", "a.CR2"], [], "auto", ["a.xmp"]),
    ],
)
def test_where_notes_go(
    tmp_path: Path, files: list[str], names: list[str], naming: str, wanted: list[str]
) -> None:
    assert _names(tmp_path, files, names, SidecarNaming(naming)) == wanted


def test_what_travels_with_a_shot(tmp_path: Path) -> None:
    names = ["a.jpg", "a.CR2", "a.xmp", "a.CR2.xmp", "a_01.CR2.xmp", "a.CR2.pp3", "a.txt"]
    names += ["b.CR2.xmp", "a_02.CR2", "a_02.CR2.xmp", "aa.xmp"]

    found = [path.name for path in sidecars_of([tmp_path / "a.jpg", tmp_path / "a.CR2"], names)]

    assert found == ["a.CR2.pp3", "a.CR2.xmp", "a.xmp", "a_01.CR2.xmp"]


def _exiftool(path: Path, what: str) -> dict[str, object]:
    command = ["exiftool", "-json", "-G1", "-struct", "-n", what, path]
    answer = subprocess.run(command, capture_output=True, check=True)
    return dict(json.loads(answer.stdout)[0])


@pytest.mark.parametrize("before", [None, DARKTABLE, LIGHTROOM])
def test_exiftool_reads_the_keys_of_darktable_and_digikam(
    tmp_path: Path, before: bytes | None
) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    path = tmp_path / "IMG.CR2.xmp"
    path.write_bytes(merged_sidecar(before, NOTE, "x", darktable=True, overwrite_ratings=True))

    tags = _exiftool(path, "-XMP:all")

    assert _exiftool(path, "-validate")["ExifTool:Validate"] == "0 0 0"
    assert tags["XMP-xmp:Rating"] == -1
    assert tags["XMP-xmp:Label"] == "Red"
    assert tags["XMP-digiKam:PickLabel"] == 1
    assert tags["XMP-digiKam:ColorLabel"] == 1
    assert tags["XMP-darktable:Colorlabels"] == [0]
    assert "focuskit/reject" in tags["XMP-dc:Subject"]
    assert "focuskit|reject" in tags["XMP-lr:HierarchicalSubject"]
    assert tags["XMP-focuskit:Verdict"] == "reject"
    if before is not None:
        path.write_bytes(before)
        theirs = _exiftool(path, "-XMP:all")
        ours = {"XMP-xmp:Rating", "XMP-xmp:Label", "XMP-dc:Subject"}
        assert {key for key, value in theirs.items() if tags.get(key) != value} <= ours
