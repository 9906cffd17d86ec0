"""A session at work: all of a change or nothing, in whatever place it breaks off."""

from contextlib import closing, suppress
from datetime import datetime, timedelta
from sqlite3 import connect
from typing import Any

import pytest

from kmscli import errors
from kmscli.formats import auditline, record
from kmscli.formats.head import Head
from kmscli.formats.record import AliasRecord
from kmscli.storage.lock import is_free
from kmscli.vault import journal
from kmscli.vault.records import NotInMemoryError
from kmscli.vault.session import Evaluated, Unsealed
from kmscli.vault.snapshot import Snapshot
from tests.helpers import START, Clock, Home

ALIAS = AliasRecord(name="alias/x", key_id="none", created=START, updated=START)
EVENT: dict[str, Any] = {"eventName": "Test"}


def head(home: Home) -> Head:
    vault = home.open()
    body, _ = vault.store.head()
    vault.store.close()
    return record.decode(body, Head)


def test_a_change_is_one_generation_one_line_and_one_head(home: Home) -> None:
    session = home.context.session
    with session.edit() as draft:
        draft.event = EVENT
        draft.put("alias", "alias/x", ALIAS)
    found = head(home)
    assert (found.generation, found.seq, found.author) == (2, 2, "admin")
    assert found.line == auditline.digest(home.raw_lines()[-1])
    line = auditline.decode(home.raw_lines()[-1])
    assert (line.vault.generation, line.vault.root) == (2, found.root)
    assert is_free(home.folder / "lock")


def test_an_exception_leaves_neither_record_nor_line(home: Home) -> None:
    session = home.context.session
    before = (head(home), home.raw_lines())
    with suppress(KeyError), session.edit() as draft:
        draft.event = EVENT
        draft.put("alias", "alias/x", ALIAS)
        raise KeyError
    assert (head(home), home.raw_lines()) == before
    assert is_free(home.folder / "lock")
    with session.read() as snapshot:
        assert snapshot.alias("alias/x") is None


def test_a_change_that_changes_nothing_is_a_line_and_no_generation(home: Home) -> None:
    session = home.context.session
    before = head(home)
    with session.edit() as draft:
        draft.event = EVENT
        draft.put("alias", "alias/x", ALIAS)
        draft.delete("alias", "alias/x")
    assert head(home) == before
    assert len(home.raw_lines()) == 2
    home.perform("ListKeys")


def test_a_line_that_a_crash_kept_from_the_log_is_written_by_the_next(home: Home) -> None:
    home.create_key()
    path = home.folder / "audit" / "00000001.jsonl"
    whole = path.read_bytes()
    home.close()
    path.write_bytes(whole[: whole[:-1].rindex(b"\n") + 1])
    forget_pin(home)
    home.perform("ListKeys")
    assert path.read_bytes().startswith(whole)
    assert [line["eventName"] for line in home.lines()] == ["CreateVault", "CreateKey", "ListKeys"]


def forget_pin(home: Home) -> None:
    from kmscli.storage.paths import pin_file

    pin_file(home.made.vault_id).unlink(missing_ok=True)


@pytest.mark.parametrize("left", [1, 100, -2, -1])
def test_a_torn_newest_line_is_completed(home: Home, left: int) -> None:
    home.create_key()
    path = home.folder / "audit" / "00000001.jsonl"
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    home.close()
    path.write_bytes(whole[:start] + whole[start:][:left])
    forget_pin(home)
    home.perform("ListKeys")
    assert path.read_bytes().startswith(whole)
    assert len(home.lines()) == 3


def test_torn_bytes_that_nobody_signed_are_set_aside_and_told_of(home: Home) -> None:
    home.create_key()
    path = home.folder / "audit" / "00000001.jsonl"
    home.close()
    path.write_bytes(path.read_bytes() + b'{"eventVersion":"1.11","eventT')
    home.perform("ListKeys")
    assert [line["eventName"] for line in home.lines()][-2:] == ["AuditRecovered", "ListKeys"]
    name = home.lines()[-2]["requestParameters"]["tornEnd"]
    assert (home.folder / "audit" / name).read_bytes() == b'{"eventVersion":"1.11","eventT'


def test_a_log_that_lacks_more_than_the_newest_line_was_cut(home: Home) -> None:
    home.create_key()
    home.create_key()
    path = home.folder / "audit" / "00000001.jsonl"
    home.close()
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n")
    forget_pin(home)
    error = home.refused("ListKeys")
    assert (error.code, error.exit_code) == ("AuditTampered", 51)


def test_a_slot_for_another_identity_is_refused(home: Home) -> None:
    # Somebody who can write the file makes a seed of his own and seals it to the slot's public key.
    from kmscli.crypto import identity
    from kmscli.formats import slot as formats

    with closing(connect(home.folder / "vault.db")) as database, database:
        ((body,),) = database.execute("SELECT body FROM slot").fetchall()
        slot = formats.decode(body)
        context = formats.seed_context(slot.slot_id, "admin", home.made.vault_id)
        import msgspec

        forged = msgspec.structs.replace(slot, seed=identity.seal_to(slot.public, b"e" * 32, context=context))
        database.execute("UPDATE slot SET body = ?", [formats.encode(forged)])
    error = home.refused("ListKeys")
    assert (error.exit_code, error.code) == (50, "VaultTampered")
    assert "identity of admin" in error.message


def test_a_line_is_composed_in_the_order_of_the_specification(home: Home) -> None:
    who = home.context.session
    line = journal.compose(
        EVENT,
        journal.Actor("admin", who.identity),
        now=START,
        state=journal.State("00" * 16, 1, "ab"),
        place=journal.Place(1, auditline.FIRST_PREV, (1, (b"{}",))),
        written=journal.Written(
            (auditline.RecordChange(kind="key", id="k", old=None, new="00"),), roots=(b"{}",), principals=(b"{}",)
        ),
        failures=3,
    )
    assert list(auditline.members(line)) == [
        "eventVersion",
        "eventTime",
        "eventName",
        "vault",
        "change",
        "roots",
        "principals",
        "failedUnlocks",
        "segment",
        "chain",
        "signature",
    ]


def test_a_log_that_cannot_be_appended_to_gives_no_result_and_the_change_may_stand(home: Home) -> None:
    key_id = home.create_key()
    segment = home.folder / "audit" / "00000001.jsonl"
    home.close()
    context = home.context
    # The file is opened anew for each append: a mode that is not private makes the append fail, after the commit.
    segment.chmod(0o644)
    with pytest.raises(errors.KmsError) as caught:
        home.perform("DisableKey", KeyId=key_id)
    assert caught.value.exit_code in (50, 52)
    segment.chmod(0o600)
    assert context is home.context
    home.perform("ListKeys")
    numbers = [line["chain"]["seq"] for line in home.lines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [line["eventName"] for line in home.lines()][-1] == "ListKeys"
    assert (home.state_of(key_id) == "Disabled") == ("DisableKey" in [line["eventName"] for line in home.lines()])


def use(home: Home, *, until: datetime | None = None) -> list[tuple[int, datetime]]:
    """Use the key with the alias alias/x; tells the generation and the time of each evaluation."""
    seen: list[tuple[int, datetime]] = []

    def evaluate(snapshot: Snapshot, now: datetime) -> list[Evaluated[object]]:
        alias = snapshot.alias("alias/x")
        seen.append((snapshot.head.generation, now))
        return [Evaluated(alias, EVENT, until if len(seen) == 1 else None)]

    home.context.session.use(evaluate)
    return seen


def put_alias(home: Home, name: str = "alias/x") -> None:
    with home.context.session.edit() as draft:
        draft.event = EVENT
        draft.put("alias", name, AliasRecord(name=name, key_id="none", created=START, updated=START))


def test_a_use_is_evaluated_once_while_the_vault_does_not_change(home: Home) -> None:
    put_alias(home)
    assert [generation for generation, _ in use(home)] == [2]
    assert [generation for generation, _ in use(home)] == [2]


def test_a_use_in_a_state_that_was_overtaken_is_evaluated_again(home: Home) -> None:
    put_alias(home)
    use(home)
    other = Home(home.folder.parent, clock=home.clock)
    put_alias(other, "alias/y")
    other.close()
    assert [generation for generation, _ in use(home)] == [2, 3]


def test_what_is_not_in_memory_is_read_and_not_missed(home: Home) -> None:
    session = home.context.session
    with session.read() as snapshot, pytest.raises(NotInMemoryError):
        snapshot.from_memory(lambda: snapshot.alias("alias/never-read"))
    with session.read() as snapshot:
        assert snapshot.alias("alias/never-read") is None
    with session.read() as snapshot:
        assert snapshot.from_memory(lambda: snapshot.alias("alias/never-read")) is None


def test_a_refusal_from_memory_is_never_the_last_word(home: Home) -> None:
    put_alias(home)
    use(home)
    other = Home(home.folder.parent, clock=home.clock)
    put_alias(other, "alias/y")
    other.close()

    def evaluate(snapshot: Snapshot, _now: datetime) -> list[Evaluated[int]]:
        if snapshot.head.generation < 3:
            raise errors.UnknownCiphertextKeyError
        return [Evaluated(snapshot.head.generation, EVENT)]

    assert home.context.session.use(evaluate) == [3]


def test_a_use_whose_time_has_come_under_the_lock_is_evaluated_again(home: Home, clock: Clock) -> None:
    put_alias(home)
    use(home)
    clock.move(minutes=2)
    use(home)  # the log's time is two minutes on now
    clock.move(minutes=-1)
    log_time = (START + timedelta(minutes=2)).replace(microsecond=0)
    assert [time for _, time in use(home, until=log_time)] == [START + timedelta(minutes=1), log_time]


def test_what_was_unsealed_is_opened_once_and_shown_to_nobody() -> None:
    unsealed = Unsealed()
    opened = [unsealed.get(("share", "key", b"sealed"), lambda number=number: number) for number in range(3)]
    assert opened == [0, 0, 0]
    assert unsealed.get(("share", "other", b"sealed"), lambda: 3) == 3
    assert repr(unsealed) == "<Unsealed 2>"


def test_a_session_holds_no_more_unsealed_than_its_bound() -> None:
    unsealed = Unsealed()
    for number in range(5000):
        unsealed.get(("share", number), lambda: b"secret")
    assert repr(unsealed) == "<Unsealed 904>"
