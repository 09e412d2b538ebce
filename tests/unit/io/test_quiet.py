from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from focuskit.io.quiet import native_noise_held


def test_noise_is_held_and_everything_else_passes(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before\n")
    with native_noise_held():
        os.write(2, b"Corrupt JPEG data: 82 extraneous bytes before marker 0xd9\n")
        os.write(2, b"unknown file: Unexpected end of file\n")
        os.write(2, b"50 % done\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\n50 % done\nafter\n"


def test_lines_of_many_threads_all_arrive(capfd: pytest.CaptureFixture[str]) -> None:
    def decode(number: int) -> None:
        for turn in range(20):
            with native_noise_held():
                os.write(2, f"{number}:{turn}\n".encode())
                time.sleep(0.0005)

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = {f"{number}:{turn}" for number in range(4) for turn in range(20)}
    assert set(capfd.readouterr().err.split()) == wanted


def test_an_error_gives_standard_error_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), native_noise_held():
        raise ValueError("x")
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


_A_SOCKET_IS_DESCRIPTOR_2 = """
import os, socket
from focuskit.io.quiet import native_noise_held

near, far = socket.socketpair()
assert 2 in (near.fileno(), far.fileno())
before = os.fstat(2).st_ino
with native_noise_held():
    print(os.fstat(2).st_ino == before)
"""


def test_what_else_lies_on_descriptor_2_is_left_alone() -> None:
    answer = subprocess.run(
        f"'{sys.executable}' - 2>&-",
        shell=True,
        input=_A_SOCKET_IS_DESCRIPTOR_2,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert answer.stdout == "True\n"
