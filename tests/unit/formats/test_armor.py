"""The text form: one text for one sequence of bytes, whole, and nothing around it."""

import base64
import io
import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli import errors
from kmscli.formats import armor
from kmscli.formats.armor import BEGIN, END

pieces = st.integers(min_value=1, max_value=200)


class Slow(io.BytesIO):
    """Takes and gives a few bytes at a time."""

    def __init__(self, data: bytes = b"", piece: int = 7) -> None:
        super().__init__(data)
        self.piece = piece

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(self.piece, self.piece if size is None or size < 0 else size))

    def write(self, data: object, /) -> int:
        return super().write(memoryview(data)[: self.piece])  # type: ignore[arg-type]


def written(data: bytes, piece: int = 1 << 20, sink: io.BytesIO | None = None) -> bytes:
    out = io.BytesIO() if sink is None else sink
    writer = armor.Writer(out)
    for at in range(0, len(data), piece):
        writer.write(data[at : at + piece])
    writer.finish()
    return out.getvalue()


def read(text: bytes, size: int = 1 << 20, source: io.BytesIO | None = None) -> bytes:
    reader = armor.Reader(io.BytesIO(text) if source is None else source)
    parts = []
    while part := reader.read(size):
        parts.append(part)
    return b"".join(parts)


@given(st.binary(max_size=400), pieces, pieces)
def test_what_is_written_in_any_pieces_is_read_in_any_pieces(data: bytes, piece: int, size: int) -> None:
    text = written(data, piece)
    assert written(data) == text
    assert data == read(text, size)


@given(st.binary(max_size=400), pieces)
def test_a_slow_file_changes_nothing(data: bytes, piece: int) -> None:
    text = written(data, 50, Slow(piece=piece))
    assert written(data) == text
    assert data == read(b"", 10, Slow(text, piece))


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 96, 97])
def test_the_form_is_what_other_programs_know(size: int) -> None:
    data = bytes(range(size))
    first, *lines, last, rest = written(data).split(b"\n")
    assert (BEGIN, END, b"") == (first, last, rest)
    assert all(len(line) == 64 for line in lines[:-1])
    assert data == base64.b64decode(b"".join(lines))


def test_it_is_known_by_its_first_line_behind_white_space() -> None:
    assert armor.looks_like(b" \r\n" + written(b"x"))
    assert not armor.looks_like(b"x" + written(b"x"))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.removesuffix(b"\n"),
        lambda text: b"\n  \t\n" + text + b"\n \r\n\n",
        lambda text: text.replace(BEGIN, BEGIN + b"  ").replace(END, END + b" "),
    ],
    ids=["CR LF", "no last newline", "white space around", "white space behind the lines"],
)
def test_what_mail_and_editors_do_to_a_text_is_no_harm(change: object) -> None:
    data = bytes(200)
    text = change(written(data))  # type: ignore[operator]
    assert data == read(text)


TEXT = written(bytes(range(200)))
FIRST, *BODY, LAST, _ = TEXT.split(b"\n")


def text_of(*lines: bytes) -> bytes:
    return b"\n".join(lines) + b"\n"


FAULTS = {
    "nothing": (b"", "no last line"),
    "only white space": (b"\n\n", "no last line"),
    "no first line": (text_of(*BODY, LAST), "something before its first line"),
    "words before": (text_of(b"look:", FIRST, *BODY, LAST), "something before its first line"),
    "no last line": (text_of(FIRST, *BODY), "no last line"),
    "cut within the last line": (TEXT[:-9], "something after its bytes"),
    "another last line": (TEXT.replace(END, b"-----END PGP MESSAGE-----"), "something after its bytes"),
    "words behind": (TEXT + b"kind regards\n", "something after its bytes"),
    "a second text": (TEXT + TEXT, "something after its bytes"),
    "words far behind": (TEXT + b"\n" * 70_000 + b"x", "something after its bytes"),
    "a line missing its end": (text_of(FIRST, BODY[0][:-4], *BODY[1:], LAST), "lines of a wrong length"),
    "a line too long": (text_of(FIRST, BODY[0] + b"AAAA", *BODY[1:], LAST), "lines of a wrong length"),
    "an empty line inside": (text_of(FIRST, BODY[0], b"", *BODY[1:], LAST), "lines of a wrong length"),
    "one endless line": (FIRST + b"\n" + b"A" * 200_000, "a line that is too long"),
    "another letter": (text_of(FIRST, b"*" + BODY[0][1:], *BODY[1:], LAST), "something that is no base64"),
    "a space inside": (text_of(FIRST, b" " + BODY[0][1:], *BODY[1:], LAST), "something that is no base64"),
    "padding in the middle": (text_of(FIRST, BODY[0][:-1] + b"=", *BODY[1:], LAST), "its text form has"),
    "padding left away": (text_of(FIRST, b"QQ", LAST), "something that is no base64"),
    "other spare bits": (text_of(FIRST, b"QR==", LAST), "something that is no base64"),
    "bytes of no text": (text_of(FIRST, b"\xff" * 64, LAST), "something that is no base64"),
}


@pytest.mark.parametrize(("text", "problem"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("piece", [1, 64, 1 << 20])
def test_another_form_is_refused(text: bytes, problem: str, piece: int) -> None:
    source = Slow(text, piece if len(text) < 10_000 else 1 << 12)
    with pytest.raises(errors.MalformedMessageError) as caught:
        read(b"", 100, source)
    assert problem in caught.value.message


@given(st.integers(min_value=0, max_value=len(TEXT) - 2))
def test_a_text_that_is_cut_short_is_refused_wherever(length: int) -> None:
    with pytest.raises(errors.MalformedMessageError):
        read(TEXT[:length])


@given(st.data())
def test_no_two_texts_of_one_line_stand_for_the_same_bytes(data: st.DataObject) -> None:
    line = data.draw(st.binary(min_size=1, max_size=48).map(base64.b64encode))
    at = data.draw(st.integers(min_value=0, max_value=len(line) - 1))
    other = data.draw(st.sampled_from(b"ABwxyz019+/= \r"))
    changed = line[:at] + bytes([other]) + line[at + 1 :]
    if changed == line:
        return
    try:
        found = read(text_of(FIRST, changed, LAST))
    except errors.MalformedMessageError:
        return
    assert base64.b64decode(line) != found


def test_bytes_may_be_looked_at_before_they_are_read() -> None:
    reader = armor.Reader(Slow(TEXT))
    assert reader.peek(10) == bytes(range(10))
    buffer = memoryview(bytearray(5))
    assert (reader.readinto(buffer), bytes(buffer)) == (5, bytes(range(5)))


SPACE = rb"[ \t\n\r\x0b\x0c]*"
WHOLE = re.compile(
    SPACE + BEGIN + rb"[ \t\r\x0b\x0c]*\n((?:[A-Za-z0-9+/]{64}\r?\n)*(?:[A-Za-z0-9+/=]{1,64}\r?\n)?)" + END + SPACE
)


def meant(text: bytes) -> bytes | None:
    """What the specification says that a whole text stands for; None for no such text."""
    found = WHOLE.fullmatch(text)
    if found is None:
        return None
    letters = re.sub(rb"\r?\n", b"", found[1])
    if b"=" in letters.rstrip(b"=") or len(letters) % 4:
        return None
    data = base64.b64decode(letters)
    return data if base64.b64encode(data) == letters else None


LONG = written(bytes(range(256)) * 400)
"""More than is read or written at once."""

fragments = st.one_of(
    st.sampled_from(
        [b"", b"\n", b"\r", b"\r\n", b" ", b"=", b"==", b"-", b"\\u0041", b"\\n", b'"', b"A", b"AAAA", b"\0"]
    ),
    st.sampled_from([BEGIN, END, BODY[0] + b"\n", BODY[0] + b"\r\n", b" " * 150, b"\xc3\xa4", b"/+//"]),
    st.binary(max_size=5),
)


def changed(text: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, gone, new in changes:
        place = at % (len(text) + 1)
        text = text[:place] + new + text[place + gone :]
    return text


changes = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 70), fragments), max_size=3)
TEXTS = {
    "short": TEXT,
    "short, CR LF": TEXT.replace(b"\n", b"\r\n"),
    "long": LONG,
    "long, CR LF": LONG.replace(b"\n", b"\r\n"),
    "of nothing": written(b""),
    "of full lines": written(bytes(96)),
}


@given(st.sampled_from(sorted(TEXTS)), changes, st.integers(min_value=1, max_value=5000))
def test_what_is_taken_is_what_the_specification_says_however_it_is_read(
    name: str, changes: list[tuple[int, int, bytes]], piece: int
) -> None:
    text = changed(TEXTS[name], changes)
    expected = meant(text)
    for source in (io.BytesIO(text), Slow(text, max(piece, len(text) // 100))):
        try:
            found: bytes | None = read(b"", source=source)
        except errors.MalformedMessageError:
            found = None
        assert expected == found


@pytest.mark.parametrize("piece", [1, 47, 48, 49, 48 * 1024, 48 * 1024 + 1, 200_000])
def test_a_long_text_is_the_same_in_whatever_pieces_it_is_written(piece: int) -> None:
    data = bytes(range(256)) * 400 if piece == 1 else bytes(range(256)) * 2000
    letters = base64.b64encode(data)
    lines = [letters[at : at + 64] for at in range(0, len(letters), 64)]
    assert text_of(BEGIN, *lines, END) == written(data, piece)


def test_a_file_that_takes_little_of_a_long_text_gets_all_of_it() -> None:
    data = bytes(range(256)) * 400
    assert written(data) == written(data, sink=Slow(piece=3001))


@pytest.mark.parametrize("spaces", [b" ", b"\n"])
def test_white_space_without_end_takes_no_memory(spaces: bytes) -> None:
    class Endless(io.RawIOBase):
        left = 500

        def read(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return spaces * (size or 0) if self.left > 0 else b""

    source = Endless()
    reader = armor.Reader(source)
    tracemalloc.start()
    try:
        with pytest.raises(errors.MalformedMessageError, match="no last line"):
            reader.read(1)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
