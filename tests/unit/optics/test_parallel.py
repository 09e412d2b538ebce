"""Working on several parts at a time: order, errors, and stopping early."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from focuskit.errors import InputError
from focuskit.optics.parallel import each_done


def test_results_come_in_the_order_of_their_parts() -> None:
    assert list(each_done(lambda part: part * part, range(50))) == [n * n for n in range(50)]
    assert list(each_done(str, [7])) == ["7"]
    assert list(each_done(str, [])) == []


def test_what_a_part_raises_arrives() -> None:
    def work(part: int) -> int:
        if part == 3:
            raise InputError("no")
        return part

    with pytest.raises(InputError, match="no"):
        list(each_done(work, range(20)))


def test_who_stops_asking_stops_what_has_not_begun() -> None:
    begun, go_on = [], threading.Event()

    def work(part: int) -> int:
        begun.append(part)
        if part:
            go_on.wait(10)
        return part

    with closing(each_done(work, range(1000))) as each:
        assert next(each) == 0
        threading.Timer(0.05, go_on.set).start()

    assert len(begun) < 1000


def test_one_at_a_time_stays_in_the_thread_that_asked() -> None:
    threads = each_done(lambda _: threading.current_thread(), range(5), most=1)

    assert set(threads) == {threading.current_thread()}
