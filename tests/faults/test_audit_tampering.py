"""The log of a vault, damaged in every way that somebody without an identity can think of.

Two look at each damaged log: a third party with the root fingerprint, and the vault's user. Each must name the first
bad line, or find nothing where nothing of the log is lost or changed; any exception that is no answer fails the test.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import auditline
from kmscli.service import audits
from kmscli.service.audits import VerifyResponse
from kmscli.storage.paths import pin_file
from kmscli.vault.unlock import unlock
from tests.helpers import Home

Files = dict[str, bytes]
SEGMENT = "[audit]\nsegment_bytes = 6000\n"
EVE = Identity(b"e" * 32)


class Sample(NamedTuple):
    """A vault with a log of several segments.

    Attributes:
        home: Where it lies.
        files: Its log.
        older: Its database, as it was before the newest change.
        pin: What its user saw of it.
    """

    home: Home
    files: Files
    older: bytes
    pin: bytes

    @property
    def lines(self) -> list[bytes]:
        """All lines, without newlines."""
        return b"".join(self.files.values()).splitlines()

    @property
    def fingerprint(self) -> bytes:
        """The root fingerprint."""
        return bytes.fromhex(self.home.made.root_fingerprint)


def build(folder: Path) -> Home:
    """A vault whose log has every kind of line."""
    home = Home(folder).init()
    (home.folder / "config.toml").write_text(SEGMENT)
    with home.open() as vault, pytest.raises(errors.WrongSecretError):
        unlock(vault, None, lambda _: Home(folder / "other").init().secret())
    key = home.create_key(Alias="alias/app")
    home.perform("Encrypt", KeyId="alias/app", Plaintext=b"x", EncryptionContext={"a": "b"})
    home.refused("DescribeKey", KeyId="alias/none")
    home.close()
    with max((home.folder / "audit").glob("*.jsonl")).open("ab") as file:
        file.write(b'{"torn')
    home.perform("ListKeys")
    home.perform("DisableKey", KeyId=key)
    # The newest segment is to hold three lines in the end: a use, a change, a use.
    home.perform("ListKeys")
    while max((home.folder / "audit").glob("*.jsonl")).read_bytes().count(b"\n") != 1:
        home.perform("ListKeys")
    return home


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """The whole vault, its last line but one a change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        home = build(tmp_path_factory.mktemp("vault"))
        home.close()
        older = (home.folder / "vault.db").read_bytes()
        key = home.lines()[1]["responseElements"]["keyMetadata"]["keyId"]
        home.perform("EnableKey", KeyId=key)
        home.perform("ListKeys")
        home.close()
        pin = pin_file(home.made.vault_id).read_bytes()
        made = Sample(home, read(home.folder / "audit"), older, pin)
        assert 3 <= len(made.files)
        yield made


def read(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}


def put(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
        path.chmod(0o600)


class Scene:
    """A copy of the sample that is damaged again and again."""

    def __init__(self, sample: Sample, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.sample = sample
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        shutil.copytree(sample.home.folder, folder / "vault")
        self.home = Home(folder)
        self.home.keyfile = sample.home.keyfile
        self.home.clock = sample.home.clock
        self.audit = self.home.folder / "audit"
        self.extra = {path.name: path.read_bytes() for path in self.audit.iterdir() if path.suffix != ".jsonl"}
        self.database = (self.home.folder / "vault.db").read_bytes()
        self._pin = pin_file(sample.home.made.vault_id)
        self._pin.parent.mkdir(parents=True)

    def put(self, files: Files, *, pinned: bool) -> None:
        """The vault with another log, in the hands of a user who saw the whole one or of one who saw none."""
        wanted = self.extra | files
        for path in self.audit.iterdir():
            if path.name not in wanted:
                path.unlink()
        for name, content in wanted.items():
            put(self.audit / name, content)
        put(self.home.folder / "vault.db", self.database)
        self._pin.unlink(missing_ok=True)
        if pinned:
            put(self._pin, self.sample.pin)

    def third_party(self, files: Files) -> VerifyResponse | errors.KmsError:
        """What somebody finds who has log and fingerprint."""
        self.put(files, pinned=False)
        return answer(lambda: audits.verify_log(self.audit, self.sample.fingerprint, full=True))

    def user(self, files: Files, *, pinned: bool) -> VerifyResponse | errors.KmsError:
        """What a user of the vault finds."""
        self.put(files, pinned=pinned)
        with self.home.open() as vault:
            return answer(lambda: audits.verify(vault))

    def next_use(self) -> errors.KmsError | None:
        """How the next operation ends."""
        try:
            self.home.perform("ListKeys")
        except errors.KmsError as error:
            return error
        finally:
            self.home.close()
        return None


def answer(act: Callable[[], VerifyResponse]) -> VerifyResponse | errors.KmsError:
    try:
        return act()
    except errors.KmsError as error:
        return error


@pytest.fixture
def scene(sample: Sample, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A copy to damage, in memory where there is such a place."""
    return Scene(sample, workplace, monkeypatch)


def seq_of(found: VerifyResponse | errors.KmsError) -> int:
    """The number of the line that is named."""
    assert isinstance(found, errors.AuditTamperedError), found
    seq: int = found.data["seq"]
    name = f"{found.data['segment']:08d}.jsonl, line {found.data['line']} (seq {seq})"
    assert name in found.message
    return seq


def relaid(sample: Sample, lines: list[bytes]) -> Files:
    """The lines in segments that begin where they say so; what is no line any more stays where it is."""
    files: Files = {}
    for line in lines:
        name = max(files, default="00000001.jsonl")
        if b'"segment":{"number":' in line and files:
            name = f"{int(name[:8]) + 1:08d}.jsonl"
        files[name] = files.get(name, b"") + line + b"\n"
    return files


def replaced(sample: Sample, number: int, *lines: bytes) -> Files:
    """The log with other lines in the place of one."""
    whole = sample.lines
    return relaid(sample, [*whole[: number - 1], *lines, *whole[number:]])


def numbers(sample: Sample) -> range:
    return range(1, len(sample.lines) + 1)


def test_the_log_that_nobody_changed_is_whole(sample: Sample, scene: Scene) -> None:
    assert sample.files == relaid(sample, sample.lines)
    for found in (
        scene.third_party(sample.files),
        scene.user(sample.files, pinned=False),
        scene.user(sample.files, pinned=True),
    ):
        assert isinstance(found, VerifyResponse)
        assert (len(sample.lines), len(sample.files), 0, 0) == (
            found.lines,
            found.segments,
            found.torn_bytes,
            found.pending_lines,
        )
    assert scene.next_use() is None


# -- lines --


def edits(value: Any) -> Iterator[Any]:
    """`value` with one leaf changed, each in turn."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from (value | {name: edited} for edited in edits(inner))
            yield {other: kept for other, kept in value.items() if other != name}
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], edited, *value[index + 1 :]] for edited in edits(inner))
        yield [*value, None]
    elif isinstance(value, bool) or value is None:
        yield "x"
    elif isinstance(value, int):
        yield value + 1
    else:
        yield value + "x"
        yield value[:-1] + ("A" if value[-1:] != "A" else "B")


def test_an_edit_of_any_member_of_any_line_is_found_and_the_line_named(sample: Sample, scene: Scene) -> None:
    for number in numbers(sample):
        line = sample.lines[number - 1]
        for edited in edits(json.loads(line)):
            text = json.dumps(edited, separators=(",", ":"), ensure_ascii=False).encode()
            assert number == seq_of(scene.third_party(replaced(sample, number, text))), edited


def test_a_dropped_line_is_found_where_it_is_missing(sample: Sample, scene: Scene) -> None:
    for number in numbers(sample)[:-1]:
        assert number == seq_of(scene.third_party(replaced(sample, number)))


def test_a_dropped_last_line_is_found_by_who_saw_it(sample: Sample, scene: Scene) -> None:
    files = replaced(sample, len(sample.lines))
    assert isinstance(scene.third_party(files), VerifyResponse)
    assert isinstance(scene.user(files, pinned=False), VerifyResponse)
    assert isinstance(scene.user(files, pinned=True), errors.AuditTamperedError)
    assert isinstance(scene.next_use(), errors.AuditTamperedError)


def test_dropped_lines_that_the_vault_knows_of_are_found_by_everybody_who_has_it(sample: Sample, scene: Scene) -> None:
    for count in range(3, len(sample.lines)):
        files = relaid(sample, sample.lines[: len(sample.lines) - count])
        assert isinstance(scene.third_party(files), VerifyResponse)
        assert isinstance(scene.user(files, pinned=False), errors.AuditTamperedError), count
        assert isinstance(scene.next_use(), errors.AuditTamperedError), count


def test_a_doubled_line_is_found_where_it_stands_again(sample: Sample, scene: Scene) -> None:
    for number in numbers(sample):
        line = sample.lines[number - 1]
        files = {name: content.replace(line + b"\n", (line + b"\n") * 2) for name, content in sample.files.items()}
        assert number + 1 == seq_of(scene.third_party(files))
        assert number + 1 == seq_of(scene.user(files, pinned=True))


def test_of_exchanged_lines_the_first_is_named(sample: Sample, scene: Scene) -> None:
    for first in numbers(sample):
        for second in range(first + 1, len(sample.lines) + 1):
            lines = list(sample.lines)
            lines[first - 1], lines[second - 1] = lines[second - 1], lines[first - 1]
            parts = iter(lines)
            files = {
                name: b"".join(next(parts) + b"\n" for _ in content.splitlines())
                for name, content in sample.files.items()
            }
            assert first == seq_of(scene.third_party(files)), (first, second)


def test_a_line_of_another_vault_is_found(sample: Sample, scene: Scene, tmp_path: Path) -> None:
    other = build(tmp_path / "other")
    other.close()
    for number, line in enumerate(other.raw_lines(), 1):
        if b'"segment":' not in line and b'"segment":' not in sample.lines[number - 1]:
            assert number == seq_of(scene.third_party(replaced(sample, number, line))), number


@pytest.mark.parametrize("signer", ["admin", "eve", ""])
def test_a_line_that_somebody_else_signed_is_found(sample: Sample, scene: Scene, signer: str) -> None:
    for number in numbers(sample):
        members = json.loads(sample.lines[number - 1])
        del members["signature"]
        forged = auditline.encode(members, vault_id=members["vault"]["id"], signer=signer, sign=EVE.sign)
        assert number == seq_of(scene.third_party(replaced(sample, number, forged)))
        assert number == seq_of(scene.user(replaced(sample, number, forged), pinned=False))


def test_a_whole_log_that_somebody_else_wrote_is_found(sample: Sample, scene: Scene, tmp_path: Path) -> None:
    other = build(tmp_path / "other")
    other.close()
    assert 1 == seq_of(scene.third_party(read(other.folder / "audit")))
    assert 1 == seq_of(scene.user(read(other.folder / "audit"), pinned=False))


# -- segments --


def test_a_segment_that_is_missing_is_named(sample: Sample, scene: Scene) -> None:
    for name in list(sample.files)[:-1]:
        files = {other: content for other, content in sample.files.items() if other != name}
        found = scene.third_party(files)
        assert isinstance(found, errors.AuditTamperedError)
        assert f"{name} is missing" in found.message
        assert isinstance(scene.user(files, pinned=False), errors.AuditTamperedError)


def test_a_segment_that_is_empty_is_named(sample: Sample, scene: Scene) -> None:
    for name in sample.files:
        found = scene.third_party(sample.files | {name: b""})
        assert isinstance(found, errors.AuditTamperedError)
        assert f"{name} is empty" in found.message


def test_exchanged_segments_are_found_at_the_first(sample: Sample, scene: Scene) -> None:
    names = list(sample.files)
    for first, second in pairwise(names):
        files = sample.files | {first: sample.files[second], second: sample.files[first]}
        expected = 1 + sum(len(sample.files[name].splitlines()) for name in names[: names.index(first)])
        assert expected == seq_of(scene.third_party(files))


def test_a_segment_under_another_name_is_found(sample: Sample, scene: Scene) -> None:
    *_, last = sample.files
    for name in ("00000009.jsonl", "00000000.jsonl", "9.jsonl", f"{last}.1", f"{last}~", "notes.txt"):
        files = {(name if other == last else other): content for other, content in sample.files.items()}
        assert isinstance(scene.third_party(files), errors.AuditTamperedError), name
    copy = sample.files | {f"{len(sample.files) + 1:08d}.jsonl": sample.files[last]}
    assert len(sample.lines) + 1 == seq_of(scene.third_party(copy))


def test_joined_and_split_segments_are_found(sample: Sample, scene: Scene) -> None:
    first, second, *_ = sample.files
    joined = {first: sample.files[first] + sample.files[second]}
    begins = 1 + len(sample.files[first].splitlines())
    assert begins == seq_of(scene.third_party(joined))
    lines = sample.files[first].splitlines(keepends=True)
    assert 2 == seq_of(scene.third_party({first: lines[0], second: b"".join(lines[1:])}))


# -- database and log of different ages --


def test_a_log_ahead_of_its_database_is_a_rollback(sample: Sample, scene: Scene) -> None:
    for pinned in (False, True):
        scene.put(sample.files, pinned=pinned)
        put(scene.home.folder / "vault.db", sample.older)
        with scene.home.open() as vault, pytest.raises(errors.RollbackError):
            audits.verify(vault)
        assert isinstance(scene.next_use(), errors.RollbackError)


def test_a_vault_that_was_put_back_as_a_whole_is_found_by_who_saw_it(sample: Sample, scene: Scene) -> None:
    files = relaid(sample, sample.lines[:-2])
    scene.database = sample.older
    assert isinstance(scene.user(files, pinned=False), VerifyResponse)
    assert isinstance(scene.user(files, pinned=True), errors.RollbackError)


# -- bytes --


def flat(sample: Sample) -> list[tuple[str, int, int]]:
    """(segment's file, offset in it, number of the line) of each byte of the log."""
    places = []
    number = 0
    for name, content in sample.files.items():
        offset = 0
        for line in content.splitlines(keepends=True):
            number += 1
            places += [(name, offset + index, number) for index in range(len(line))]
            offset += len(line)
    return places


def with_byte(sample: Sample, name: str, offset: int, new: bytes) -> Files:
    """The log with a byte replaced by others."""
    content = sample.files[name]
    return sample.files | {name: content[:offset] + new + content[offset + 1 :]}


def check_byte(sample: Sample, scene: Scene, index: int, new: bytes) -> None:
    """Replace one byte by others, and hold what is found against what must be."""
    places = flat(sample)
    name, offset, number = places[index]
    files = with_byte(sample, name, offset, new)
    ends = sample.files[name][offset] == ord("\n")
    first = number + 1 if ends and new.startswith(b"\n") else number
    found, seen = scene.third_party(files), scene.user(files, pinned=True)
    if index < len(places) - 1 or new.endswith(b"\n"):
        assert first == seq_of(found), (index, new)
        assert first == seq_of(seen), (index, new)
    else:
        # The last line without its newline counts as torn: it is lost to a third party, not to who saw it.
        assert isinstance(found, VerifyResponse)
        assert first - 1 == found.lines
        assert isinstance(seen, VerifyResponse if first > number else errors.AuditTamperedError)


@pytest.mark.parametrize("new", [b"", b"x", b"xx", b"\nx", b"x\n", b"\n\n", b"\0", b"\r"])
def test_a_change_of_the_end_of_any_line_is_found(sample: Sample, scene: Scene, new: bytes) -> None:
    places = flat(sample)
    for index, (name, offset, _) in enumerate(places):
        if sample.files[name][offset] == ord("\n"):
            check_byte(sample, scene, index, new)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(anywhere=st.integers(0, 1 << 20), new=st.binary(max_size=2))
def test_any_change_of_a_byte_is_found_and_its_line_named(
    sample: Sample, scene: Scene, anywhere: int, new: bytes
) -> None:
    places = flat(sample)
    index = anywhere % len(places)
    name, offset, _ = places[index]
    assume(new != sample.files[name][offset : offset + 1])
    check_byte(sample, scene, index, new)


def test_a_flipped_bit_in_every_line_is_found(sample: Sample, scene: Scene) -> None:
    flip_bits(sample, scene, range(0, len(flat(sample)), 23))


@pytest.mark.long
@pytest.mark.parametrize("first", range(4))
def test_a_flipped_bit_in_every_byte_of_the_log_is_found(sample: Sample, scene: Scene, first: int) -> None:
    flip_bits(sample, scene, range(first, len(flat(sample)), 4))


def flip_bits(sample: Sample, scene: Scene, indexes: range) -> None:
    places = flat(sample)
    for index in indexes:
        name, offset, number = places[index]
        for mask in (1 << index % 8, 1 << (index + 3) % 8) if index < len(places) - 1 else ():
            new = bytes([sample.files[name][offset] ^ mask])
            assert number == seq_of(scene.third_party(with_byte(sample, name, offset, new))), (index, mask)


# -- truncation --


def truncated(sample: Sample, length: int) -> Files:
    """The first bytes of the log; segments that begin later are gone."""
    files: Files = {}
    for name, content in sample.files.items():
        if length > 0:
            files[name] = content[:length]
        length -= len(content)
    return files


def check_truncated(sample: Sample, scene: Scene, length: int) -> None:
    """Cut the log, and hold what three people find, and the next operation, against what must be."""
    files = truncated(sample, length)
    last = max(files, default="00000001.jsonl")
    whole, _, torn = files.get(last, b"").rpartition(b"\n")
    lines = sum(content.count(b"\n") for content in files.values())
    readable = bool(whole)

    alone = scene.third_party(files)
    if readable:
        assert isinstance(alone, VerifyResponse), length
        assert (lines, len(torn)) == (alone.lines, alone.torn_bytes), length
    else:
        assert isinstance(alone, errors.AuditTamperedError), length

    assert isinstance(scene.user(files, pinned=True), errors.AuditTamperedError), length

    known = scene.user(files, pinned=False)
    change = len(sample.lines) - 1
    if readable and lines >= change - 1:
        assert isinstance(known, VerifyResponse), length
        assert (change - lines if lines < change else 0) == known.pending_lines, length
        assert scene.next_use() is None, length
        assert_mended(sample, scene)
    else:
        assert isinstance(known, errors.AuditTamperedError), length
        assert isinstance(scene.next_use(), errors.AuditTamperedError), length


def assert_mended(sample: Sample, scene: Scene) -> None:
    with scene.home.open() as vault:
        found = audits.verify(vault, full=True)
    assert (0, 0) == (found.torn_bytes, found.pending_lines)
    mended = b"".join(read(scene.audit).values()).splitlines()
    assert sample.lines[:-1] == mended[: len(sample.lines) - 1]


def lengths_that_matter(sample: Sample) -> list[int]:
    """Around the end of each line and each segment, and some between."""
    total = len(flat(sample))
    ends = [0]
    for line in sample.lines:
        ends.append(ends[-1] + len(line) + 1)
    near = {end + step for end in ends for step in (-2, -1, 0, 1, 2)}
    return sorted(length for length in near | set(range(0, total, 211)) if 0 <= length < total)


def test_a_log_cut_anywhere_is_mended_or_found(sample: Sample, scene: Scene) -> None:
    for length in lengths_that_matter(sample):
        check_truncated(sample, scene, length)


@pytest.mark.long
@pytest.mark.parametrize("first", range(4))
def test_a_log_cut_at_every_byte_is_mended_or_found(sample: Sample, scene: Scene, first: int) -> None:
    for length in range(first, len(flat(sample)), 4):
        check_truncated(sample, scene, length)


def test_a_log_that_is_gone_is_found(sample: Sample, scene: Scene) -> None:
    for gone in ({}, {"00000001.jsonl": b""}):
        assert isinstance(scene.third_party(gone), errors.AuditTamperedError)
        assert isinstance(scene.user(gone, pinned=False), errors.AuditTamperedError)
        assert isinstance(scene.next_use(), errors.AuditTamperedError)
    shutil.rmtree(scene.audit)
    with pytest.raises(errors.KmsError) as caught, scene.home.open() as vault:
        audits.verify(vault)
    assert caught.value.exit_code in (1, 50, 51, 52)


def test_bytes_behind_the_log_are_torn_or_found(sample: Sample, scene: Scene) -> None:
    last = max(sample.files)
    for extra in (b"\n", b"{}\n", b"\0\n", sample.lines[-1][:50] + b"\n"):
        files = sample.files | {last: sample.files[last] + extra}
        assert len(sample.lines) + 1 == seq_of(scene.user(files, pinned=True))
        assert isinstance(scene.next_use(), errors.AuditTamperedError)
    files = sample.files | {last: sample.files[last] + os.urandom(3000).replace(b"\n", b"")}
    assert isinstance(scene.user(files, pinned=True), VerifyResponse)
    assert scene.next_use() is None
    assert_mended(sample, scene)
