"""How much each principal may ask for, of one process and of several."""

import os
import threading
import time

import pytest

from kmscli import errors
from kmscli.awsapi.allowance import Allowance
from kmscli.storage.turns import LEFT_MAX, Queue


def test_an_allowance_is_that_of_one_second_and_fills_with_time() -> None:
    now = [0.0]
    allowance = Allowance(2.0, lambda: now[0])
    for _ in range(2):
        allowance.take("alice")
    with pytest.raises(errors.ThrottlingError):
        allowance.take("alice")
    allowance.take("bob")
    now[0] = 0.5
    allowance.take("alice")
    with pytest.raises(errors.ThrottlingError):
        allowance.take("alice")
    now[0] = 3600.0
    for _ in range(2):
        allowance.take("alice")
    with pytest.raises(errors.ThrottlingError):
        allowance.take("alice")


def test_a_rate_below_one_lets_one_through() -> None:
    now = [0.0]
    allowance = Allowance(0.1, lambda: now[0])
    allowance.take("alice")
    for seconds in (0.0, 9.0):
        now[0] = seconds
        with pytest.raises(errors.ThrottlingError):
            allowance.take("alice")
    now[0] = 10.1
    allowance.take("alice")


def test_no_rate_is_no_limit() -> None:
    allowance = Allowance(None, lambda: 0.0)
    for _ in range(10_000):
        allowance.take("alice")


# -- several processes -------------------------------------------------------------------------------------------------


def test_processes_take_from_one_allowance(queue: Queue) -> None:
    reading, writing = os.pipe()
    for _ in range(4):
        if os.fork() == 0:
            try:
                with queue.entered() as turn:
                    allowance = Allowance(50.0, lambda: 0.0)
                    allowance.share(turn)
                    _ask(allowance, 30, lambda: os.write(writing, b"."))
            finally:
                os._exit(0)
    os.close(writing)
    for _ in range(4):
        os.wait()
    with os.fdopen(reading, "rb") as found:
        assert found.read() == b"." * 50


def test_threads_of_a_process_take_from_it_as_well(queue: Queue) -> None:
    done: list[None] = []
    with queue.entered() as turn:
        allowance = Allowance(100.0, lambda: 0.0)
        allowance.share(turn)
        threads = [threading.Thread(target=_ask, args=(allowance, 40, lambda: done.append(None))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(done) == 100


def _ask(allowance: Allowance, times: int, done: object) -> None:
    for _ in range(times):
        try:
            allowance.take("alice")
        except errors.ThrottlingError:
            continue
        done()  # type: ignore[operator]
        time.sleep(0)  # let the others come in between


def test_so_many_principals_that_no_room_is_left_are_let_through_again_once_their_second_is_over(queue: Queue) -> None:
    names = [f"principal-{number}-{'x' * 40}" for number in range(LEFT_MAX // 50)]
    now = [0.0]
    with queue.entered() as turn, queue.entered() as other:
        allowance, beside = Allowance(1.0, lambda: now[0]), Allowance(1.0, lambda: now[0])
        allowance.share(turn)
        beside.share(other)
        for name in names[: len(names) // 2]:
            allowance.take(name)
        now[0] = 2.0
        for name in names[len(names) // 2 :]:
            allowance.take(name)
        with pytest.raises(errors.ThrottlingError):
            beside.take(names[-1])
        beside.take(names[0])
