"""Turns of the processes of a server: one after the other, and what one leaves for the next."""

import os
import signal
import time

from kmscli.storage.turns import LEFT_MAX, Alone, Queue


def child(act: object) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            act()  # type: ignore[operator]
        finally:
            os._exit(0)
    return pid


def test_one_is_alone_in_its_turn(queue: Queue) -> None:
    reading, writing = os.pipe()

    def come() -> None:
        with queue.entered() as turn, turn:
            os.write(writing, b"in ")

    with queue.entered() as turn:
        with turn:
            pid = child(come)
            time.sleep(0.1)
            os.write(writing, b"out ")
        os.waitpid(pid, 0)
    assert os.read(reading, 100) == b"out in "


def test_what_one_left_another_finds(queue: Queue) -> None:
    with queue.entered() as turn, queue.entered() as other:
        assert other.found() == b""
        for data in (b"x" * 5000, b"short", b"", b"again", b"y" * LEFT_MAX):
            turn.leave(data)
            assert other.found() == data
        turn.leave(b"z" * (LEFT_MAX + 1))
        assert other.found() == b""


def test_who_was_killed_lets_go(queue: Queue) -> None:
    def stay() -> None:
        with queue.entered() as turn, turn:
            signal.pause()

    pid = child(stay)
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with queue.entered() as turn, turn:
        pass


def test_a_part_of_two_things_is_nothing(queue: Queue) -> None:
    with queue.entered() as turn:
        turn.leave(b"a" * 9000)
        whole = os.pread(turn._fd, 10000, 0)  # type: ignore[attr-defined]
        turn.leave(b"b" * 9000)
        os.pwrite(turn._fd, whole[:4096], 0)  # type: ignore[attr-defined]
        assert turn.found() == b""


def test_who_is_alone_finds_nothing() -> None:
    alone = Alone()
    with alone:
        alone.leave(b"x")
        assert alone.found() == b""
