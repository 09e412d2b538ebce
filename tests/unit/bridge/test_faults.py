"""Whatever goes wrong with a call, the client hears a sentence and the next call works."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from focuskit.io.icc import build_profile
from tests.unit.bridge.conftest import HEIGHT, WIDTH, Worker, run, said, wait_for
from tests.unit.bridge.tiny_client import BridgeSaysError, TinyClient

Samples = NDArray[np.uint8]
Message = dict[str, Any]


@pytest.fixture(scope="module")
def large() -> Samples:
    """So large that somebody can change their mind."""
    return np.random.default_rng(0).integers(0, 256, (3000, 4000, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "call"
    made.mkdir(mode=0o700)
    return made


def _ask(client: TinyClient, folder: Path, values: Samples, **more: Any) -> None:
    """Ask for something that takes long."""
    (folder / "picture.raw").write_bytes(values.tobytes())
    parameters = {"strength": 6.0, "detector": "lbp"}
    call = {"type": "run", "id": 1, "operation": "bokeh", "parameters": parameters}
    client.send(call | {"folder": str(folder), "picture": said(values)} | more)


def _begin(client: TinyClient, folder: Path, values: Samples) -> None:
    """Ask for something that takes long, and wait until it is under way."""
    _ask(client, folder, values)
    while (message := client.receive())["text"] != "Finding what is in focus":
        assert message["type"] == "progress", message


def _works(client: TinyClient, samples: Samples) -> bool:
    return run(client, "focus-map", samples)[1]["map"].shape == (HEIGHT, WIDTH)


def test_cancel_stops_the_call_and_not_the_connection(
    client: TinyClient, folder: Path, large: Samples, samples: Samples
) -> None:
    _begin(client, folder, large)
    began = time.monotonic()
    client.send({"type": "cancel", "id": 2})
    client.send({"type": "cancel", "id": 1})
    with pytest.raises(BridgeSaysError) as caught:
        client.answer()

    assert caught.value.args[0] == "Cancelled"
    assert time.monotonic() - began < 10
    assert _works(client, samples)


def test_the_death_of_the_working_process_is_told_and_mended(
    worker: Worker, client: TinyClient, folder: Path, large: Samples, samples: Samples
) -> None:
    _begin(client, folder, large)
    dead = worker.working_process()
    os.kill(dead, signal.SIGKILL)
    with pytest.raises(BridgeSaysError) as caught:
        client.answer()

    assert caught.value.args[0] == "WorkerDiedError"
    assert "signal 9" in caught.value.args[1]
    assert _works(client, samples)
    assert worker.working_process() != dead


def test_a_death_with_nothing_to_do_is_not_noticed(
    worker: Worker, client: TinyClient, samples: Samples
) -> None:
    assert _works(client, samples)
    os.kill(worker.working_process(), signal.SIGKILL)

    assert _works(client, samples)


def test_a_client_that_vanishes_leaves_nothing_behind(
    worker: Worker, folder: Path, large: Samples, samples: Samples
) -> None:
    client = worker.client()
    _begin(client, folder, large)
    client.close()

    wait_for(lambda: not folder.exists())
    after = worker.client()
    assert _works(after, samples)
    after.close()


def test_what_is_not_the_calls_own_stays(worker: Worker, folder: Path, large: Samples) -> None:
    (folder / "precious.txt").write_text("a photographer's own")
    client = worker.client()
    _begin(client, folder, large)
    client.close()

    wait_for(lambda: not (folder / "picture.raw").exists())
    assert [each.name for each in folder.iterdir()] == ["precious.txt"]


def test_results_stay_for_a_client_that_closed_after_the_answer(
    worker: Worker, folder: Path, samples: Samples
) -> None:
    client = worker.client()
    (folder / "picture.raw").write_bytes(samples.tobytes())
    call = {"type": "run", "id": 1, "operation": "focus-map", "parameters": {"detector": "lbp"}}
    client.send(call | {"folder": str(folder), "picture": said(samples)})
    result = client.answer()
    client.close()
    time.sleep(0.3)

    assert (folder / result["pictures"]["map"]["file"]).stat().st_size == HEIGHT * WIDTH * 2


def test_others_wait_and_are_told_so(
    worker: Worker, client: TinyClient, folder: Path, large: Samples, samples: Samples
) -> None:
    busy = worker.client()
    _begin(busy, folder, large)
    told: list[str] = []
    (folder / "small.raw").write_bytes(samples.tobytes())
    call = {"type": "run", "id": 5, "operation": "focus-map", "parameters": {"detector": "lbp"}}
    client.send(call | {"folder": str(folder), "picture": said(samples, "small.raw")})
    told.append(client.receive()["text"])
    busy.send({"type": "run", "id": 2})
    while (answer := busy.receive())["type"] == "progress":
        pass
    busy.send({"type": "cancel", "id": 1})
    client.answer(lambda message: told.append(message["text"]))
    busy.close()

    assert told[0] == "Waiting for another picture"
    assert (answer["kind"], answer["id"]) == ("ProtocolError", 2)


def test_the_time_limit_ends_a_call(
    client: TinyClient, folder: Path, large: Samples, samples: Samples
) -> None:
    _ask(client, folder, large, time_limit_s=0.5)
    with pytest.raises(BridgeSaysError, match=r"longer than 0\.5 s") as caught:
        client.answer()

    assert caught.value.args[0] == "TimeLimitError"
    assert _works(client, samples)


def test_a_full_disk_is_told(worker: Worker, client: TinyClient, samples: Samples) -> None:
    assert _works(client, samples)
    child = worker.working_process()
    free = resource.prlimit(child, resource.RLIMIT_FSIZE)
    resource.prlimit(child, resource.RLIMIT_FSIZE, (1000, free[1]))
    try:
        with pytest.raises(BridgeSaysError, match="free some space") as caught:
            run(client, "focus-map", samples)
    finally:
        resource.prlimit(child, resource.RLIMIT_FSIZE, free)

    assert caught.value.args[0] == "OutputError"
    assert _works(client, samples)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_folder_without_room_is_told(
    client: TinyClient, tmp_path: Path, samples: Samples
) -> None:
    small = tmp_path / "small"
    small.mkdir(mode=0o700)
    options = f"size={samples.nbytes + 20_000},mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system lets nobody mount")
    try:
        (small / "picture.raw").write_bytes(samples.tobytes())
        call = {"type": "run", "id": 1, "operation": "focus-map"}
        more = {"folder": str(small), "picture": said(samples), "parameters": {"detector": "lbp"}}
        client.send(call | more)
        with pytest.raises(BridgeSaysError, match="No space left"):
            client.answer()
        assert [each.name for each in small.iterdir()] == ["picture.raw"]
    finally:
        subprocess.run(["umount", small], check=False)


Change = Callable[[Path], Message]


def _touch(name: str, data: bytes) -> Change:
    def change(folder: Path) -> Message:
        (folder / name).write_bytes(data)
        return {}

    return change


def _instead(make: Callable[[Path], object]) -> Change:
    """Put something else in the place of the picture's file."""

    def change(folder: Path) -> Message:
        (folder / "picture.raw").unlink()
        make(folder / "picture.raw")
        return {}

    return change


def _of_picture(**more: Any) -> Change:
    return lambda folder: {"picture": said(np.zeros((HEIGHT, WIDTH, 3), np.uint8), **more)}


def _profile(data: bytes, **more: Any) -> Change:
    def change(folder: Path) -> Message:
        (folder / "p.icc").write_bytes(data)
        return _of_picture(profile="p.icc", **more)(folder)

    return change


def _as_float(value: float) -> Change:
    def change(folder: Path) -> Message:
        values = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
        values[3, 4, 1] = value
        (folder / "picture.raw").write_bytes(values.tobytes())
        return {"picture": said(values)}

    return change


def _mode(mode: int) -> Change:
    def change(folder: Path) -> Message:
        folder.chmod(mode)
        return {}

    return change


def _linked(folder: Path) -> Message:
    other = folder.with_name("other")
    other.symlink_to(folder)
    return {"folder": str(other)}


BROKEN = build_profile("adobe-rgb")[:200]
TABLES = build_profile("adobe-rgb").replace(b"rXYZ", b"A2B0", 1)
GREY = build_profile("adobe-rgb")[:16] + b"GRAY" + build_profile("adobe-rgb")[20:]
GREY = GREY.replace(b"rTRC", b"kTRC", 1)
WRONG: dict[str, tuple[Change, str]] = {
    "no file": (_instead(lambda path: None), "cannot be read"),
    "a link": (_instead(lambda path: path.symlink_to("/etc/passwd")), "it is a link"),
    "a pipe": (_instead(os.mkfifo), "no plain file"),
    "a folder": (_instead(os.mkdir), "cannot be read|no plain file"),
    "too short": (_touch("picture.raw", b"123"), "has 3 bytes, where 240×160×3 u8 take 115200"),
    "too long": (_touch("picture.raw", b"1" * 115_201), "115201 bytes"),
    "a path": (_of_picture(file="../picture.raw"), "without / or .."),
    "a whole path": (_of_picture(file="/etc/passwd"), "name of a file"),
    "dots": (_of_picture(file=".."), "name of a file"),
    "a name of nothing": (_of_picture(file="a\0b"), "name of a file"),
    "a name no disk takes": (_of_picture(file="\ud800"), "cannot be read"),
    "two channels": (_of_picture(channels=2), "1 channel .grey. or 3"),
    "four channels": (_of_picture(channels=4), "alpha stays"),
    "a strange type": (_of_picture(dtype="f64"), "u8, u16 or f32"),
    "a type that is none": (_of_picture(dtype=["u8"]), "u8, u16 or f32"),
    "no width": (_of_picture(width=0), "whole number from 1"),
    "a width that is none": (_of_picture(width="240"), "whole number from 1"),
    "gigapixels": (_of_picture(width=200_000, height=200_000), "megapixels"),
    "NaN": (_as_float(np.nan), "no numbers"),
    "infinity": (_as_float(np.inf), "no numbers"),
    "a broken profile": (_profile(BROKEN), "is damaged"),
    "an empty profile": (_profile(b""), "is damaged"),
    "a profile of tables": (_profile(TABLES), "by tables"),
    "a grey profile": (_profile(GREY), "for grey"),
    "no profile's file": (_of_picture(profile="p.icc"), "colour profile .* cannot be read"),
    "no picture": (lambda folder: {"picture": None}, "needs a picture"),
    "a picture that is none": (lambda folder: {"picture": "picture.raw"}, "must be an object"),
    "an open folder": (_mode(0o755), "open to other users"),
    "a linked folder": (_linked, "is a link"),
    "no folder": (lambda folder: {"folder": str(folder / "none")}, "cannot be used"),
    "a short folder": (lambda folder: {"folder": "call"}, "whole path"),
    "a folder that is none": (lambda folder: {"folder": 3}, "whole path"),
    "a size that is none": (lambda folder: {"scale": 0}, "above 0"),
    "a limit that is none": (lambda folder: {"time_limit_s": "1"}, "must be a number"),
    "an unknown operation": (lambda folder: {"operation": "bokhe"}, "bokeh"),
    "an operation that is none": (lambda folder: {"operation": None}, "names its operation"),
    "a wrong parameter": (lambda folder: {"parameters": {"strenght": 1}}, "did you mean strength"),
    "a parameter too large": (lambda folder: {"parameters": {"strength": 99}}, "<= 10"),
    "a text for a number": (lambda folder: {"parameters": {"strength": "2"}}, "must be a number"),
    "nothing to do": (lambda folder: {"parameters": {}}, "exactly one of"),
    "no parameters": (lambda folder: {"parameters": [1]}, "must be an object"),
    "an unknown detector": (
        lambda folder: {"parameters": {"detector": "lpb", "strength": 2}},
        "lbp",
    ),
    "a place outside": (
        lambda folder: {"operation": "refocus", "parameters": {"point": [9999, 5]}},
        "outside the photo",
    ),
    "a place that is none": (
        lambda folder: {"operation": "refocus", "parameters": {"point": ["1", 5]}},
        "cannot be",
    ),
    "a box outside": (
        lambda folder: {"operation": "check", "parameters": {"box": [0, 0, 9999, 5]}},
        "outside the photo",
    ),
    "a box that is none": (
        lambda folder: {"operation": "check", "parameters": {"box": 3}},
        "must be a list",
    ),
    "a mask of another size": (
        lambda folder: {"mask": said(np.zeros((5, 5), np.uint8), "picture.raw")},
        "of one size",
    ),
    "a mask in colour": (
        lambda folder: {"mask": said(np.zeros((HEIGHT, WIDTH, 3), np.uint8), "picture.raw")},
        "1 channel",
    ),
    "facts that are none": (lambda folder: {"facts": {"f_number": "8"}}, "must be a number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_call_is_said(
    client: TinyClient, folder: Path, samples: Samples, what: str
) -> None:
    change, sentence = WRONG[what]
    (folder / "picture.raw").write_bytes(samples.tobytes())
    call: Message = {"operation": "bokeh", "parameters": {"strength": 3, "detector": "lbp"}}
    call |= {"folder": str(folder), "picture": said(samples)} | change(folder)
    client.send({"type": "run", "id": 1} | call)
    with pytest.raises(BridgeSaysError, match=sentence) as caught:
        client.answer()

    kind, text = caught.value.args
    assert kind not in ("BridgeError", "ProtocolError", "WorkerDiedError")
    assert text[-1] in ".?"
    assert "--" not in text
    folder.chmod(0o700)
    assert not list(folder.glob("result-*"))


def test_a_white_mask_is_refused_and_a_protected_part_is_not(
    client: TinyClient, samples: Samples
) -> None:
    white = np.full((HEIGHT, WIDTH), 255, np.uint8)
    call = {"mask": said(white, "mask.raw")}
    with pytest.raises(BridgeSaysError, match="nothing may change"):
        run(client, "bokeh", samples, call=call, files={"mask.raw": white.tobytes()}, strength=3)
