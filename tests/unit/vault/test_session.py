"""A session at work: all of a change or nothing, in whatever place it breaks off."""

from contextlib import closing, suppress
from sqlite3 import connect
from typing import Any

import pytest

from kmscli import errors
from kmscli.formats import auditline, record
from kmscli.formats.head import Head
from kmscli.formats.record import AliasRecord
from kmscli.storage.lock import is_free
from kmscli.vault import journal
from tests.helpers import START, Home

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
        change=(auditline.RecordChange(kind="key", id="k", old=None, new="00"),),
        failures=3,
    )
    assert list(auditline.members(line)) == [
        "eventVersion",
        "eventTime",
        "eventName",
        "vault",
        "change",
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
