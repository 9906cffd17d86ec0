"""Joining by request: the holder makes all that is secret, a root believes nothing that is not proved."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import joining
from kmscli.formats import slot as formats
from kmscli.formats.joining import Join
from kmscli.formats.slot import Slot
from kmscli.service import joins, principals
from kmscli.vault import custodians, slots
from kmscli.vault.secrets import Secret
from kmscli.vault.slots import Opened
from tests.helpers import Home
from tests.several import acting, asked, keyfile_of, made

EVE = Identity(b"e" * 32)


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def grant(home: Home, content: bytes, name: str = "bob") -> principals.PrincipalResponse:
    return principals.create_by_request(home.context, name, "user", content, path="bob.req")


def slot_by(home: Home, who: Identity, **members: Any) -> Slot:
    """A slot of bob for the vault, proved by `who`."""
    session = home.context.session
    made = slots.make(
        home.rng,
        Opened(who, session.opened.vault_id, session.opened.fingerprint),
        members.pop("secret", Secret("keyfile", b"k" * 32)),
        principal=members.pop("principal", "bob"),
        name=members.pop("label", "first"),
        memory_mib=members.pop("memory_mib", 8),
        now=home.clock(),
    )
    return msgspec.structs.replace(made, **members)


def request_by(home: Home, who: Identity, holding: Slot | None = None, **members: Any) -> bytes:
    """A request signed well by `who`, whatever else is in it."""
    session = home.context.session
    unsigned = Join(
        format="kms-join-1",
        name="bob",
        vault_id=session.opened.vault_id,
        fingerprint=session.opened.fingerprint.hex(),
        sign=who.sign_public,
        seal=who.seal_public,
        slot=formats.encode(holding or slot_by(home, who)),
        created=home.clock(),
    )
    changed = msgspec.structs.replace(unsigned, **members)
    return joining.encode(msgspec.structs.replace(changed, signature=who.sign(joining.join_bytes(changed))))


# -- that it works --


def test_the_holder_makes_all_that_is_secret_and_a_root_lets_him_in(home: Home) -> None:
    content = asked(home, "bob")
    answer = grant(home, content)
    assert answer.user is not None
    found = joining.decode_join(content, path="")
    assert answer.user.key_fingerprint == joining.key_fingerprint(found.sign, found.seal)
    bob = acting(home, "bob")
    assert bob.session.identity.seed not in content
    assert not bob.is_root
    assert home.lines()[-1]["eventName"] == "CreateUser"


def test_what_is_shown_is_what_must_be_compared(home: Home, tmp_path: Path) -> None:
    vault = home.open()
    out = tmp_path / "bob.req"
    shown = joins.request(vault, "bob", Secret.passphrase(b"correct horse"), "laptop", out).shown
    found = joining.decode_join(out.read_bytes(), path="")
    assert shown.root_fingerprint == home.made.root_fingerprint
    assert shown.key_fingerprint == joining.key_fingerprint(found.sign, found.seal)
    assert shown.seen_before is False
    assert out.stat().st_mode & 0o777 == 0o600
    grant(home, out.read_bytes())
    opened = [slot for slot in vault.slots()[0] if slot.principal == "bob"]
    assert [(slot.label, slot.kind) for slot in opened] == [("laptop", "passphrase")]


def test_a_request_writes_nothing_into_the_vault(home: Home) -> None:
    home.close()
    before = {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}
    asked(home, "bob")
    assert before == {path: path.read_bytes() for path in home.folder.rglob("*") if path.is_file()}


def test_a_name_that_is_taken_is_refused_before_anything_is_made(home: Home) -> None:
    assert refused(lambda: asked(home, "admin")).code == "EntityAlreadyExists"
    assert not keyfile_of(home, "admin2").exists()


def test_a_keyfile_that_is_there_is_kept(home: Home) -> None:
    keyfile_of(home, "bob").write_text("mine")
    assert refused(lambda: asked(home, "bob")).exit_code == 21
    assert keyfile_of(home, "bob").read_text() == "mine"


def test_a_request_is_granted_once(home: Home) -> None:
    content = asked(home, "bob")
    grant(home, content)
    assert refused(lambda: grant(home, content)).exit_code == 21
    principals.delete_principal(home.context, "bob")
    grant(home, content)  # whoever has the file could always ask again


# -- that nothing else is believed --


def test_each_byte_of_a_request_counts(home: Home) -> None:
    content = asked(home, "bob")
    for index in [*range(0, len(content), 97), len(content) - 1]:
        changed = content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]
        error = refused(lambda: grant(home, changed))  # noqa: B023 - called in this round
        assert error.exit_code == 2, index


def _of_eve(home: Home) -> bytes:
    return request_by(home, EVE, slot_by(home, EVE, principal="eve"), name="eve")


def _first(home: Home) -> str:
    return home.context.session.vault.slots()[0][0].slot_id


def _proved(home: Home, slot: Slot) -> Slot:
    proof = EVE.sign(formats.proof_bytes(slot, home.context.session.opened.vault_id))
    return msgspec.structs.replace(slot, proof=proof)


def _cheap(home: Home) -> bytes:
    slot = slot_by(home, EVE, secret=Secret.passphrase(b"x"))
    assert slot.kdf is not None
    return request_by(home, EVE, msgspec.structs.replace(slot, kdf=msgspec.structs.replace(slot.kdf, memory_kib=8191)))


def _of_custodians(home: Home) -> bytes:
    secret = Secret("custodians", b"c" * 32)
    slot, _ = custodians.entrust(home.rng, slot_by(home, EVE, secret=secret), secret, names=("a", "b"), threshold=2)
    return request_by(home, EVE, slot)


DEFECTS: dict[str, tuple[str, Callable[[Home], bytes]]] = {
    "no JSON": ("it is no request to join", lambda _: b"{\n"),
    "nothing": ("it has no end", lambda _: b""),
    "too long": ("are no request", lambda _: b"x" * (joining.LENGTH_MAX + 1)),
    "nested without end": ("it is no request to join", lambda _: b"[" * 100_000 + b"\n"),
    "another format": ("it is no request", lambda home: request_by(home, EVE).replace(b"join-1", b"join-2")),
    "a request for a new identity": ("it is no request", lambda home: request_by(home, EVE).replace(b"join", b"renew")),
    "without its newline": ("it has no end", lambda home: request_by(home, EVE)[:-1]),
    "another name": ("it asks for the name eve", _of_eve),
    "another vault": ("for another vault", lambda home: request_by(home, EVE, vault_id="00" * 16)),
    "other roots": ("other roots", lambda home: request_by(home, EVE, fingerprint="00" * 32)),
    "a key that signs for somebody else": (
        "does not hold",
        lambda home: request_by(home, EVE, sign=home.context.session.identity.sign_public),
    ),
    "a key that is none": ("key is none", lambda home: request_by(home, EVE, seal=bytes(1216))),
    "a key of another length": ("key is none", lambda home: request_by(home, EVE, seal=EVE.seal_public[:-1])),
    "a slot that is none": ("slot is damaged", lambda home: request_by(home, EVE, slot=b"{}")),
    "a slot of another": (
        "slot is one of 'admin'",
        lambda home: request_by(home, EVE, slot_by(home, EVE, principal="admin")),
    ),
    "a slot that another proves": (
        "not its own",
        lambda home: request_by(home, EVE, slot_by(home, home.context.session.identity)),
    ),
    "a slot whose key another has": (
        "not its own",
        lambda home: request_by(home, EVE, slot_by(home, EVE, public=EVE.seal_public)),
    ),
    "a slot that proves nothing": (
        "does not prove",
        lambda home: request_by(home, EVE, slot_by(home, EVE, proof=msgspec.UNSET)),
    ),
    "a slot with a label that steers a terminal": (
        "label",
        lambda home: request_by(home, EVE, slot_by(home, EVE, label="\x1b[2J")),
    ),
    "a slot that is cheap to guess": ("cheaper", _cheap),
    "a slot of custodians": ("custodians", _of_custodians),
    "a slot that is there": (
        "already",
        lambda home: request_by(home, EVE, _proved(home, slot_by(home, EVE, slot_id=_first(home)))),
    ),
}


def test_a_request_that_is_made_by_hand_and_right_is_granted(home: Home) -> None:
    assert grant(home, request_by(home, EVE)).user is not None


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_request_with_a_defect_is_refused_and_says_which(home: Home, defect: str) -> None:
    expected, make = DEFECTS[defect]
    content = make(home)
    error = refused(lambda: grant(home, content))
    assert (error.code, error.exit_code) == ("InvalidRequest", 2)
    assert error.message.startswith("bob.req: ")
    assert expected in error.message
    assert [user.user_name for user in principals.list_principals(home.context).users] == ["admin"]
    assert len(home.context.session.vault.slots()[0]) == 1


def test_a_slot_that_lay_under_the_name_before_is_removed(home: Home) -> None:
    # Whoever can write the file puts a slot of his own under a name that is not there yet.
    store = home.context.session.vault.store
    planted = slot_by(home, EVE)
    with store.change():
        store.put_slot(planted.slot_id, formats.encode(planted))
    made(home, "bob")
    left = [slot.slot_id for slot in home.context.session.vault.slots()[0] if slot.principal == "bob"]
    assert len(left) == 1
    assert planted.slot_id not in left
