"""The targets of the fuzzer find nothing in their seeds, and find what is planted.

So a target that no longer reaches the code, or calls it by an old name, is noticed without the fuzzer.
"""

import io
from collections.abc import Callable

import pytest

from kmscli.envelope import decrypting, flow
from kmscli.formats import armor, message
from tests.fuzz import targets
from tests.fuzz.targets import Finding


def feed(target: str) -> None:
    limited = targets.within_limits(targets.TARGETS[target])
    for seed in targets.seeds(target):
        limited(seed)


@pytest.mark.parametrize("target", targets.TARGETS)
def test_the_seeds_are_no_findings(target: str) -> None:
    feed(target)


@pytest.mark.parametrize(("target", "whole", "refused"), [("messages", 100, 100), ("frames", 50, 0)])
def test_some_seeds_are_read_to_their_end(
    monkeypatch: pytest.MonkeyPatch, target: str, whole: int, refused: int
) -> None:
    read = targets.read
    answers = []

    def watched(source: io.BytesIO, sink: io.BytesIO, header: message.Header, *, threads: int = 1) -> bytes | None:
        answers.append(read(source, sink, header, threads=threads))
        return answers[-1]

    monkeypatch.setattr(targets, "read", watched)
    feed(target)
    assert sum(answer is not None for answer in answers) >= whole
    assert sum(answer is None for answer in answers) >= refused


def an_error_of_python(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(message, "_text", bytes.decode)


def memory_by_the_header_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(decrypting.Decryption, "room_size", property(lambda self: self._header.frame_length + (65 << 20)))


def a_place_that_is_wrong(patch: pytest.MonkeyPatch) -> None:
    at_place = flow.at_place
    patch.setattr(flow, "at_place", lambda source, start, room: at_place(source, start & ~0xFF, room))


def a_second_header(patch: pytest.MonkeyPatch) -> None:
    read_context = message._read_context
    patch.setattr(message, "_read_context", lambda encoded, *, in_order: read_context(encoded, in_order=in_order < 0))


def too_slow(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(targets, "SECONDS", 0.0)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (an_error_of_python, UnicodeDecodeError),
        (memory_by_the_header_alone, (MemoryError, OSError)),
        (a_place_that_is_wrong, Finding),
        (a_second_header, Finding),
        (too_slow, Finding),
    ],
)
def test_what_is_planted_in_the_reader_of_messages_is_found(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None], found: type[Exception]
) -> None:
    plant(monkeypatch)
    with pytest.raises(found):
        feed("messages")


def test_a_second_text_of_the_same_bytes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lax(armor.Reader):
        def __init__(self, source: armor.Source) -> None:
            super().__init__(io.BytesIO((source.read(1 << 20) or b"").replace(b" \n", b"\n")))

    text = targets.text_of(bytes(100))
    targets.texts(text)
    targets.texts(text.replace(b"A\n", b"A \n"))
    monkeypatch.setattr(armor, "Reader", Lax)
    with pytest.raises(Finding, match="two texts"):
        targets.texts(text.replace(b"A\n", b"A \n"))
