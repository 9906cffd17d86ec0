"""When a key was last used: what counts, where it is looked for, and what is believed on the way."""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.audit import usage
from kmscli.audit.usage import USES, Reader, Use
from kmscli.crypto.identity import Identity
from kmscli.crypto.identity import verify as check_signature
from kmscli.formats import auditline, record
from kmscli.formats import usage as summaries
from kmscli.formats.auditline import Line
from kmscli.formats.usage import Spot, Summary
from kmscli.formats.wire import label
from kmscli.storage import segments
from tests.unit.audit.logs import ADMIN, VAULT_ID, Log, change, flipped, identity, made

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
EVE, BOB = identity(2), identity(3)
AKIA, OTHER_AKIA = "AKIA" + "A" * 16, "AKIA" + "B" * 16
A, B, C = (f"{number:08x}-0000-4000-8000-000000000000" for number in range(3))
MRK = "mrk-" + "7" * 32


def arn(key_id: str) -> str:
    return f"arn:aws:kms:local:000000000000:key/{key_id}"


def touched(*key_ids: str) -> list[dict[str, str]]:
    return [{"ARN": arn(key_id)} for key_id in key_ids]


class Story:
    """A log whose lines tell of uses, and the folder in which it lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = made()

    def use(self, *key_ids: str, name: str = "Encrypt", **members: Any) -> Use:
        """A line of an operation with keys; returns what must be found of it."""
        number = len(self.log.lines) + 1
        use = Use(name, self.log.now, f"event-{number}", f"request-{number}")
        names = {"eventName": name, "eventID": use.event_id, "requestID": use.request_id}
        self.log.use(**(names | {"resources": touched(*key_ids)} | members))
        return use

    def next_segment(self) -> None:
        self.log.begin_segment()

    def write(self) -> None:
        for path in self.folder.glob("*.jsonl"):
            path.unlink()
        for number, line in self.log.lines:
            with self.path(number).open("ab") as file:
                file.write(line)

    def path(self, number: int) -> Path:
        return segments.segment_path(self.folder, number)

    def summary(self, number: int) -> Path:
        return segments.summary_path(self.folder, number)

    def ask(self, key_id: str, *, reader: Reader | None = None, not_before: datetime = BEGINNING) -> Use | None:
        return usage.last_use(self.folder, key_id, reader or reader_of(), not_before=not_before)


def check_line(line: Line, data: bytes) -> None:
    keys = {"admin": ADMIN, "bob": BOB}
    try:
        message = auditline.signed_bytes(VAULT_ID, auditline.signed_part(data))
        check_signature(keys[line.signature.signer].sign_public, message, line.signature.value)
    except (errors.SignatureBrokenError, KeyError) as error:
        raise errors.AuditTamperedError(what="the signature does not hold") from error


def reader_of(name: str = "admin", who: Identity = ADMIN, **members: Any) -> Reader:
    trusted = {"admin": ADMIN.sign_public, name: who.sign_public}
    return Reader(VAULT_ID, name, who.sign, trusted, check_line)._replace(**members)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """An empty log."""
    return Story(tmp_path)


class Told(Story):
    """Three segments: A is used in the first two, B in the first, C in the last.

    Attributes:
        uses: What must be found.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.use(A, name="Sign")
        b = self.use(B)
        self.next_segment()
        a = self.use(A, name="Decrypt")
        self.use()
        self.next_segment()
        self.use()
        c = self.use(C)
        self.use(C, errorCode="AccessDeniedException")
        self.uses = {A: a, B: b, C: c, MRK: None}
        self.write()

    def check(self, **options: Any) -> None:
        """All keys are found where they must be."""
        assert self.uses == {key_id: self.ask(key_id, **options) for key_id in self.uses}


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """The log of three segments."""
    return Told(tmp_path)


class Opened:
    """Counts what is read of a log, by name."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        before = segments.open_segment

        def opening(path: Path, flags: int) -> Any:
            self.names.append(path.name)
            return before(path, flags)

        patch.setattr(segments, "open_segment", opening)

    def taken(self) -> set[str]:
        names, self.names = set(self.names), []
        return names


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """What is read from now on."""
    with monkeypatch.context() as patch:
        yield Opened(patch)


# -- what is a use --


@pytest.mark.parametrize("name", sorted(USES))
def test_each_cryptographic_operation_is_a_use(story: Story, name: str) -> None:
    use = story.use(A, name=name)
    story.write()
    assert use == story.ask(A)


@pytest.mark.parametrize(
    "name", ["DescribeKey", "CreateKey", "RotateKeyOnDemand", "GenerateRandom", "encrypt", "AuditRecovered", ""]
)
@pytest.mark.parametrize("complete", [False, True])
def test_no_other_operation_is(story: Story, name: str, *, complete: bool) -> None:
    story.use(A, name=name)
    if complete:
        story.next_segment()
        story.use()
    story.write()
    assert story.ask(A) is None


@pytest.mark.parametrize("code", ["AccessDeniedException", "DisabledException", "DryRunOperationException", ""])
@pytest.mark.parametrize("complete", [False, True])
def test_a_refusal_a_failure_and_a_dry_run_are_no_use(story: Story, code: str, *, complete: bool) -> None:
    use = story.use(A)
    story.use(A, errorCode=code, requestParameters={"dryRun": True})
    if complete:
        story.next_segment()
        story.use()
    story.write()
    assert use == story.ask(A)


def test_a_re_encrypt_is_a_use_of_both_keys(story: Story) -> None:
    use = story.use(A, MRK, name="ReEncrypt")
    story.next_segment()
    story.use(B)
    story.write()
    assert [use, use] == [story.ask(A), story.ask(MRK)]


@pytest.mark.parametrize("complete", [False, True])
def test_a_key_that_is_only_named_elsewhere_in_a_line_was_not_used(story: Story, *, complete: bool) -> None:
    story.use(B, requestParameters={"keyId": A, "encryptionContext": {"arn": arn(A)}})
    story.use(name="Encrypt", resources=[{"ARN": f"{arn(A)}/x"}, {"ARN": f"arn:aws:kms:alias/{A}"}, {}])
    if complete:
        story.next_segment()
        story.use()
    story.write()
    assert story.ask(A) is None


@pytest.mark.parametrize("resources", [None, "x", [None], [{"ARN": 1}], {}])
def test_a_line_whose_members_have_other_types_is_no_use_and_no_fault(story: Story, resources: Any) -> None:
    use = story.use(A)
    story.log.line(eventName="Encrypt", requestParameters=resources)
    story.use(A, resources=resources or {"none": None})
    story.next_segment()
    story.use(A, resources=resources or {"none": None})
    story.write()
    assert use == story.ask(A)


@pytest.mark.parametrize("name", ["", "alias/app", MRK.upper(), A + "\n", A[:-1], "*"])
def test_what_is_no_key_id_was_never_used(told: Told, name: str) -> None:
    assert told.ask(name) is None


# -- where it is looked for --


def test_the_last_use_is_found_in_whichever_segment_it_is(told: Told) -> None:
    told.check()
    told.check()


def test_of_several_uses_the_last_is_told(story: Story) -> None:
    for _ in range(3):
        last = {key_id: story.use(key_id) for key_id in (A, B, A)}
    story.next_segment()
    story.use(C)
    story.use(C)
    last[C] = story.use(C)
    story.write()
    assert last == {key_id: story.ask(key_id) for key_id in (A, B, C)}


def test_a_segment_without_any_use_is_passed(story: Story) -> None:
    use = story.use(A)
    for number in range(3):
        story.next_segment()
        story.log.change(change("alias", f"alias/{number}", None, 1))
    story.write()
    assert [use, use] == [story.ask(A), story.ask(A)]


def test_hundreds_of_keys_are_all_found(story: Story) -> None:
    ids = [f"{number:08x}-1111-4000-8000-000000000000" for number in range(600)]
    uses = {key_id: story.use(key_id) for key_id in ids}
    story.next_segment()
    story.use(A)
    story.write()
    assert uses == {key_id: story.ask(key_id) for key_id in ids}


def test_a_log_without_a_segment_has_no_use(story: Story) -> None:
    assert story.ask(A) is None


def signed_with(access_key_id: str) -> dict[str, Any]:
    """The members of a line whose request was signed with an access key."""
    return {"userIdentity": {"userName": "bob", "accessKeyId": access_key_id}}


@pytest.mark.parametrize("complete", [False, True])
def test_whatever_a_request_came_to_its_access_key_was_used(story: Story, *, complete: bool) -> None:
    story.use(A, **signed_with(AKIA))
    key = story.use(A, name="Sign", **signed_with(AKIA))
    last = story.use(A, name="ListKeys", errorCode="AccessDeniedException", awsRegion="local", **signed_with(AKIA))
    story.use(B)
    if complete:
        story.next_segment()
        story.use(B)
    story.write()
    reader = reader_of(roots=frozenset({"admin"}))
    assert last._replace(region="local") == story.ask(AKIA, reader=reader)
    assert key == story.ask(A, reader=reader)
    assert story.ask(OTHER_AKIA, reader=reader) is None


@pytest.mark.parametrize("complete", [False, True])
def test_only_a_root_tells_of_a_use_of_an_access_key(story: Story, *, complete: bool) -> None:
    real = story.use(A, **signed_with(AKIA))
    story.log.signer, story.log.who = "bob", BOB
    story.use(A, **signed_with(AKIA))
    story.log.signer, story.log.who = "admin", ADMIN
    if complete:
        story.next_segment()
        story.use(B)
    story.write()
    assert real == story.ask(AKIA, reader=reader_of(roots=frozenset({"admin"})))


@pytest.mark.parametrize("access_key_id", ["", "AKIA", "AKIA" + "A" * 33, A, None, 7, ["AKIA"]])
def test_what_is_no_access_key_id_is_no_use(story: Story, access_key_id: Any) -> None:
    story.use(B, **signed_with(access_key_id))
    story.next_segment()
    story.use(C)
    story.write()
    reader = reader_of(roots=frozenset({"admin"}))
    assert story.ask(AKIA, reader=reader) is None
    assert story.ask(A, reader=reader) is None


def test_keys_and_access_keys_are_found_in_one_walk(story: Story) -> None:
    expected: dict[str, Use] = {}
    for number in range(40):
        name = AKIA[:-1] + "ABCDEFGH"[number % 8]
        key = f"{number % 16:08x}-0000-4000-8000-000000000000"
        use = story.use(key, **signed_with(name))
        expected |= {name: use, key: use}
        if number % 7 == 6:
            story.next_segment()
    story.write()
    wanted = dict.fromkeys([*expected, OTHER_AKIA, MRK, "no id"], BEGINNING)
    reader = reader_of(roots=frozenset({"admin"}))
    for _ in range(2):
        assert expected == usage.last_uses(story.folder, wanted, reader)
    assert {} == usage.last_uses(story.folder, {}, reader)


def test_a_summary_from_before_there_were_access_keys_is_made_again(story: Story) -> None:
    use = story.use(A, **signed_with(AKIA))
    story.next_segment()
    story.use(B)
    story.write()
    reader = reader_of(roots=frozenset({"admin"}))
    assert use == story.ask(AKIA, reader=reader)
    header, _, _ = story.summary(1).read_bytes().partition(b"\n")
    summary = summaries.decode(header)
    body = record.encode(msgspec.structs.replace(summary, keys=0, pages=(), signature=b""))
    old = msgspec.structs.replace(summary, keys=0, pages=(), signature=ADMIN.sign(label("usage", body)))
    story.summary(1).write_bytes(record.encode(old) + b"\n")
    assert use == story.ask(AKIA, reader=reader)


def test_a_line_that_is_still_being_written_is_left_out(told: Told) -> None:
    with told.path(3).open("ab") as file:
        file.write(told.log.numbered(2))
    told.check()


def test_a_summary_is_made_once_and_then_the_segment_is_not_read(told: Told, opened: Opened) -> None:
    told.ask(B)
    assert {told.path(number).name for number in (1, 2, 3)} <= opened.taken()
    assert told.ask(MRK) is None
    assert {"00000003.jsonl", "00000002.usage", "00000001.usage"} == opened.taken()
    told.ask(B)
    assert {"00000003.jsonl", "00000002.usage", "00000001.usage", "00000001.jsonl"} == opened.taken()


def test_a_key_that_was_used_lately_needs_no_older_segment(told: Told, opened: Opened) -> None:
    assert told.uses[C] == told.ask(C)
    assert {"00000003.jsonl"} == opened.taken()


def test_segments_that_were_complete_when_the_key_was_made_are_not_opened(told: Told, opened: Opened) -> None:
    times = {number: told.log.lines[index][1] for number, index in ((1, 0), (2, 3), (3, 5))}
    began = {number: auditline.decode(line[:-1]).eventTime for number, line in times.items()}
    for number in (3, 2, 1):
        assert told.ask(MRK, not_before=began[number] + timedelta(seconds=1)) is None
        segments_opened = {name[:8] for name in opened.taken()}
        assert {f"{other:08d}" for other in range(number, 4)} == segments_opened


def test_a_key_that_was_made_and_used_in_the_second_in_which_a_segment_begins_is_found(story: Story) -> None:
    story.use()
    use = story.use(A)
    story.log.now = use.time
    story.next_segment()
    story.use()
    story.write()
    assert use == story.ask(A, not_before=use.time + timedelta(milliseconds=900))


def test_a_summary_is_for_this_user_alone(told: Told) -> None:
    told.check()
    assert 0o600 == stat.S_IMODE(told.summary(1).stat().st_mode)
    assert ["00000001.usage", "00000002.usage"] == sorted(path.name for path in told.folder.glob("*usage*"))


# -- what is believed --


def test_a_summary_that_is_gone_changes_nothing(told: Told) -> None:
    told.check()
    before = told.summary(1).read_bytes()
    told.summary(1).unlink()
    told.check()
    assert before == told.summary(1).read_bytes()


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"x" * 100_000, b"{}\n" * 100_000])
def test_a_summary_that_is_none_changes_nothing(told: Told, content: bytes) -> None:
    told.summary(1).write_bytes(content)
    told.check()


def test_a_flipped_bit_anywhere_in_a_summary_changes_no_answer(told: Told) -> None:
    told.check()
    whole = told.summary(1).read_bytes()
    for index in range(0, len(whole), 3):
        told.summary(1).write_bytes(flipped(whole, index, 1 << index % 8))
        assert told.uses[B] == told.ask(B), index
        assert told.ask(MRK) is None, index


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:-80], lambda data: data + b"\0"])
def test_a_shorter_and_a_longer_summary_are_ignored(told: Told, change: Callable[[bytes], bytes]) -> None:
    told.check()
    whole = told.summary(1).read_bytes()
    told.summary(1).write_bytes(change(whole))
    told.check()
    assert whole == told.summary(1).read_bytes()


def forged(told: Told, who: Identity = ADMIN, **members: Any) -> bytes:
    """A summary of segment 1 that says that no key was used in it."""
    told.check()
    summary = summaries.decode(told.summary(1).read_bytes().partition(b"\n")[0])
    other: Summary = msgspec.structs.replace(summary, **members)
    return summaries.encode(other, {}, who.sign)


def test_what_a_root_signed_is_believed(told: Told) -> None:
    told.summary(1).write_bytes(forged(told))
    assert told.ask(B) is None


@pytest.mark.parametrize(
    ("who", "members"),
    [
        (EVE, {}),
        (EVE, {"signer": "eve"}),
        (EVE, {"signer": ""}),
        (BOB, {"signer": "bob"}),
        (BOB, {"signer": "admin"}),
        (ADMIN, {"signer": "bob"}),
        (ADMIN, {"vault_id": "00" * 16}),
        (ADMIN, {"segment": 2}),
        (ADMIN, {"size": 1}),
        (ADMIN, {"last": "00" * 32}),
    ],
)
def test_a_summary_by_no_root_or_of_another_segment_is_ignored(
    told: Told, who: Identity, members: dict[str, Any]
) -> None:
    told.summary(1).write_bytes(forged(told, who, **members))
    told.check()


@pytest.mark.parametrize(
    ("who", "signer", "believed"),
    [(ADMIN, "admin", True), (EVE, "admin", False), (EVE, "eve", False), (BOB, "bob", False), (ADMIN, "bob", False)],
)
def test_a_summary_that_points_to_an_older_use_is_ignored_unless_a_root_signed_it(
    story: Story, who: Identity, signer: str, *, believed: bool
) -> None:
    older, newer = story.use(A), story.use(A)
    story.next_segment()
    story.use(B)
    story.write()
    assert newer == story.ask(A)
    summary = summaries.decode(story.summary(1).read_bytes().partition(b"\n")[0])
    line = story.log.numbered(2)
    spot = Spot(len(story.log.lines[0][1]), len(line), bytes.fromhex(auditline.digest(line)))
    other = msgspec.structs.replace(summary, signer=signer)
    story.summary(1).write_bytes(summaries.encode(other, {A: spot}, who.sign))
    assert (older if believed else newer) == story.ask(A)


def test_one_believes_oneself_and_the_roots(told: Told) -> None:
    bob = reader_of("bob", BOB)
    told.check(reader=bob)
    by_bob = told.summary(1).read_bytes()
    assert b'"signer":"bob"' in by_bob
    told.check(reader=bob)
    assert by_bob == told.summary(1).read_bytes()
    told.check()
    by_root = told.summary(1).read_bytes()
    assert b'"signer":"admin"' in by_root
    told.check(reader=bob)
    assert by_root == told.summary(1).read_bytes()


def test_a_summary_of_another_segment_of_the_log_is_ignored(told: Told) -> None:
    told.check()
    told.summary(1).write_bytes(told.summary(2).read_bytes())
    told.check()


def test_a_summary_that_points_elsewhere_is_ignored(told: Told) -> None:
    told.check()
    summary = summaries.decode(told.summary(1).read_bytes().partition(b"\n")[0])
    line = told.log.numbered(3)
    offset = sum(len(data) for _, data in told.log.lines[:2])
    good = Spot(offset, len(line), bytes.fromhex(auditline.digest(line)))
    for spot in (
        good._replace(offset=offset - 1),
        good._replace(length=good.length + 1),
        good._replace(length=0),
        good._replace(offset=2**62),
        good._replace(digest=bytes(32)),
        Spot(0, len(told.log.numbered(1)), bytes.fromhex(auditline.digest(told.log.numbered(1)))),
    ):
        told.summary(1).write_bytes(summaries.encode(summary, {B: spot}, ADMIN.sign))
        assert told.uses[B] == told.ask(B), spot


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_in_the_place_of_a_summary_is_ignored(told: Told, tmp_path: Path, kind: str) -> None:
    told.check()
    if kind == "link":
        told.summary(1).rename(tmp_path / "elsewhere")
        told.summary(1).symlink_to(tmp_path / "elsewhere")
    else:
        told.summary(1).unlink()
        told.summary(1).mkdir() if kind == "folder" else os.mkfifo(told.summary(1))
    told.check()


def test_a_folder_that_cannot_be_written_only_costs_time(told: Told) -> None:
    told.folder.chmod(0o500)
    told.check()
    told.folder.chmod(0o700)
    # For root no folder is read-only.
    assert os.geteuid() == 0 or list(told.folder.glob("*.usage")) == []


def test_a_summary_whose_name_is_taken_only_costs_time(told: Told) -> None:
    for number in (1, 2):
        (told.folder / f".{number:08d}.usage.tmp").mkdir()
    told.check()
    assert list(told.folder.glob("0*.usage")) == []


# -- a log that is not the one that was signed --


def refused(told: Told, key_id: str, match: str) -> None:
    with pytest.raises(errors.AuditTamperedError, match=match):
        told.ask(key_id)


def line_with(told: Told, number: int, **members: Any) -> bytes:
    """A line of the log with other members, signed again by the same root."""
    event = auditline.members(told.log.numbered(number))
    del event["signature"]
    return auditline.encode(event | members, vault_id=VAULT_ID, signer="admin", sign=ADMIN.sign)


def exchanged(told: Told, number: int, line: bytes) -> None:
    """Put another line in the place of one of the log."""
    segment = told.log.lines[number - 1][0]
    content = told.path(segment).read_bytes()
    told.path(segment).write_bytes(content.replace(told.log.numbered(number), line))


def test_a_use_in_the_newest_segment_that_was_changed_is_seen(told: Told) -> None:
    exchanged(told, 7, line_with(told, 7, resources=touched(B)))
    refused(told, C, "does not follow")


def test_a_newest_line_by_nobody_is_seen(told: Told) -> None:
    last = len(told.log.lines)
    exchanged(told, last, told.log.numbered(last).replace(b"AccessDeniedException", b"AccessDeniedExceptioN"))
    refused(told, C, "signature")


def test_an_older_use_in_the_place_of_the_last_one_is_seen(told: Told) -> None:
    told.check()
    told.path(2).write_bytes(told.path(1).read_bytes())
    refused(told, A, "does not begin segment 2")


@pytest.mark.parametrize("known", [False, True])
def test_a_use_in_a_complete_segment_that_was_changed_is_seen(told: Told, *, known: bool) -> None:
    if known:
        told.check()
    exchanged(told, 3, line_with(told, 3, eventName="Decode1"))
    refused(told, B, r"00000001.jsonl, line 3|00000001.jsonl, line 3 \(seq 3\): the line after it does not follow it")


def test_a_line_in_the_middle_of_a_complete_segment_that_was_changed_is_named(told: Told) -> None:
    exchanged(told, 2, line_with(told, 2, eventName="Sigm"))
    refused(told, B, r"00000001.jsonl, line 3 \(seq 3\): it does not follow the line before it")


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda data: data[:-1], "it has no end"),
        (lambda data: data + b"\n", "is not an audit line"),
        (lambda data: data + b"{}\n", "is not an audit line"),
        (lambda data: data[: data.index(b"\n") + 1], "the line after it does not follow it"),
        (lambda data: data[data.index(b"\n") + 1 :], "does not begin segment 1"),
        (lambda _: b"", "the line after it does not follow it"),
        (lambda _: b"x\n", "is not an audit line"),
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_a_shorter_and_a_longer_segment_are_seen(
    told: Told, damage: Callable[[bytes], bytes], match: str, *, known: bool
) -> None:
    if known:
        told.check()
    told.path(1).write_bytes(damage(told.path(1).read_bytes()))
    refused(told, B, match)


@pytest.mark.parametrize("known", [False, True])
def test_a_segment_that_is_missing_is_seen(told: Told, *, known: bool) -> None:
    if known:
        told.check()
    told.path(1).unlink()
    refused(told, B, "00000001.jsonl is missing")


def test_a_log_that_does_not_begin_at_its_beginning_is_seen(story: Story) -> None:
    story.use(A)
    story.write()
    assert story.ask(B) is None
    story.log = Log()
    story.log.prev = "11" * 32
    story.use(A)
    story.write()
    with pytest.raises(errors.AuditTamperedError, match="not the first"):
        story.ask(B)


def test_a_newest_segment_without_a_whole_line_is_seen(told: Told) -> None:
    told.path(3).write_bytes(b"{")
    refused(told, B, "no whole line")


def test_a_newest_segment_under_another_number_is_seen(told: Told) -> None:
    told.path(3).rename(told.path(4))
    refused(told, B, "does not begin segment 4")


def test_a_line_whose_signer_has_another_key_by_now_is_an_answer_all_the_same(told: Told) -> None:
    def strict(line: Line, data: bytes) -> None:
        check_line(line, data)
        if line.chain.seq == 3:
            raise errors.AuditTamperedError(what="nobody knows who signed")

    assert told.ask(B, reader=reader_of(check=strict)) == told.ask(B)


def test_a_summary_in_another_zone_is_never_made(story: Story) -> None:
    story.use(A)
    story.log.lines.clear()
    story.log = Log()
    story.log.line(eventTime="2026-03-01T13:00:00+01:00", change=None)
    use = story.use(A)
    story.next_segment()
    story.use()
    story.write()
    assert use == story.ask(A)
    assert b'"began":"2026-03-01T12:00:00Z"' in story.summary(1).read_bytes()
