"""New identities: of a root at once, of others by a request; secrets stay, shares and lines follow."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import joining
from kmscli.formats import slot as formats
from kmscli.formats.joining import Renewal
from kmscli.service import audits, principals, renewals, slots
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import Home
from tests.several import acting, admin, allow_use, made, secret_of


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def grant(home: Home, content: bytes) -> principals.PrincipalResponse:
    return renewals.grant(home.context, "bob", content, path="bob.req")


def encrypt(context: Context, key_id: str) -> bytes:
    found: Any = perform(context, "Encrypt", {"KeyId": key_id, "Plaintext": b"before"})
    blob: bytes = found.ciphertext_blob
    return blob


def decrypt(context: Context, blob: bytes) -> bytes:
    found: Any = perform(context, "Decrypt", {"CiphertextBlob": blob})
    plaintext: bytes = found.plaintext
    return plaintext


def proved(home: Home) -> int:
    vault = home.open()
    try:
        return audits.verify(vault, full=True).lines
    finally:
        vault.store.close()


# -- of others --


def test_a_holder_gets_a_new_identity_behind_the_same_secrets(home: Home) -> None:
    made(home, "bob")
    allow_use(home, "bob")
    key_id = home.create_key()
    bob = acting(home, "bob")
    slots.add_slot(bob, Secret.passphrase(b"correct horse"), "second")
    blob, old = encrypt(bob, key_id), bob.session.identity
    content = renewals.request(bob, None).content
    assert decrypt(bob, blob) == b"before"  # nothing has changed yet
    answer = grant(home, content)
    again = acting(home, "bob")
    assert answer.user is not None
    assert again.session.identity.seed != old.seed
    assert again.session.identity.seed not in content
    by_passphrase = unlock(home.open(), "bob", lambda _: Secret.passphrase(b"correct horse"))
    assert by_passphrase.identity.seed == again.session.identity.seed
    assert decrypt(again, blob) == b"before"
    with home.context.session.read() as records:
        key = records.key(key_id)
    assert key is not None
    assert key.record.kek == 2
    assert proved(home) == len(home.lines())


def test_who_still_has_the_old_identity_is_refused(home: Home) -> None:
    made(home, "bob")
    bob = acting(home, "bob")
    grant(home, renewals.request(bob, None).content)
    error = refused(lambda: principals.list_principals(bob))
    assert error.exit_code == 50
    assert "identity of bob" in error.message


def test_a_second_new_identity_follows_the_first(home: Home) -> None:
    made(home, "bob")
    for _ in range(2):
        grant(home, renewals.request(acting(home, "bob"), None).content)
    principals.list_principals(acting(home, "bob"))
    assert proved(home) == len(home.lines())


def request_of(home: Home, **members: Any) -> bytes:
    """A request of bob with other members, signed as it must be."""
    bob = acting(home, "bob")
    new = Identity(b"n" * 32)
    found = joining.decode_renewal(renewals.request(bob, None).content, path="")
    bodies = []
    for body in found.slots:
        slot = formats.decode(body)
        proof = new.sign(formats.proof_bytes(slot, found.vault_id))
        bodies.append(formats.encode(msgspec.structs.replace(slot, proof=proof)))
    keys = {"sign": new.sign_public, "seal": new.seal_public, "slots": tuple(bodies)}
    old = members.pop("by", bob.session.identity)
    changed = msgspec.structs.replace(found, **{**keys, **members}, approval=b"", signature=b"")
    approved = msgspec.structs.replace(changed, approval=old.sign(joining.approval_bytes(changed)))
    return joining.encode(msgspec.structs.replace(approved, signature=new.sign(joining.renewal_bytes(approved))))


DEFECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "another name": ("is of 'eve'", {"name": "eve"}),
    "another vault": ("another vault", {"vault_id": "00" * 16}),
    "other roots": ("other roots", {"fingerprint": "00" * 32}),
    "another old identity": ("another identity by now", {"old": bytes(32)}),
    "approved by somebody else": ("does not hold", {"by": Identity(b"e" * 32)}),
    "another new key than signs": ("does not hold", {"sign": bytes(32)}),
    "a sealing key that is none": ("key is none", {"seal": b""}),
    "no slot": ("others by now", {"slots": ()}),
    "a slot that is none": ("slot is damaged", {"slots": (b"{}",)}),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_request_with_a_defect_is_refused_and_says_which(home: Home, defect: str) -> None:
    made(home, "bob")
    expected, members = DEFECTS[defect]
    content = request_of(home, **members)
    error = refused(lambda: grant(home, content))
    assert (error.code, error.exit_code) == ("InvalidRequest", 2)
    assert expected in error.message
    principals.list_principals(acting(home, "bob"))


def test_a_request_that_is_right_but_for_nothing_is_granted(home: Home) -> None:
    made(home, "bob")
    assert grant(home, request_of(home)).user is not None


def test_slots_that_changed_since_are_not_lost(home: Home) -> None:
    made(home, "bob")
    bob = acting(home, "bob")
    content = renewals.request(bob, None).content
    slots.add_slot(bob, Secret.passphrase(b"correct horse"), "second")
    assert "others by now" in refused(lambda: grant(home, content)).message


def test_a_new_seed_is_not_sealed_to_a_key_that_somebody_put_into_a_slot(home: Home) -> None:
    made(home, "bob")
    slots.add_slot(acting(home, "bob"), Secret.passphrase(b"correct horse"), "second")
    store = home.context.session.vault.store
    eve = Identity(b"e" * 32)
    (second,) = (slot for slot in home.context.session.vault.slots()[0] if slot.label == "second")
    for forged in (
        msgspec.structs.replace(second, public=eve.seal_public),
        msgspec.structs.replace(second, public=eve.seal_public, proof=msgspec.UNSET),
        msgspec.structs.replace(
            second,
            public=eve.seal_public,
            proof=eve.sign(
                formats.proof_bytes(
                    msgspec.structs.replace(second, public=eve.seal_public), home.context.session.opened.vault_id
                )
            ),
        ),
    ):
        with store.change():
            store.put_slot(forged.slot_id, formats.encode(forged))
        error = refused(lambda: renewals.request(acting(home, "bob"), None))
        assert error.exit_code in (14, 50)


def test_a_root_asks_nobody(home: Home) -> None:
    assert refused(lambda: renewals.request(home.context, None)).exit_code == 2
    made(home, "bob")
    content = request_of(home)
    error = refused(lambda: renewals.grant(home.context, "admin", content, path="r"))
    assert "himself" in error.message


# -- of a root --


def test_a_root_gets_a_new_identity_and_the_chain_of_roots_a_new_set(home: Home) -> None:
    made(home, "bob")
    allow_use(home, "bob")
    key_id = home.create_key()
    blob = encrypt(home.context, key_id)
    seed = home.context.session.identity.seed
    renewals.rotate_own(home.context)
    assert home.context.session.identity.seed != seed
    # The session goes on, and so does whoever unlocks anew, with the same keyfile and the same root fingerprint.
    for context in (home.context, admin(home)):
        assert decrypt(context, blob) == b"before"
        perform(context, "CreateKey", {})
        assert decrypt(acting(home, "bob"), blob) == b"before"
    vault = home.open()
    report = audits.verify(vault, full=True)
    assert report.root_fingerprint == home.made.root_fingerprint
    assert report.lines == len(home.lines())
    line = next(line for line in home.lines() if line["eventName"] == "RotateIdentity")
    assert len(line["roots"]) == 1
    fingerprint = bytes.fromhex(home.made.root_fingerprint)
    assert audits.verify_log(home.folder / "audit", fingerprint, full=True).lines == len(home.lines())


def test_a_root_renews_twice_and_still_makes_material(home: Home) -> None:
    for _ in range(2):
        renewals.rotate_own(home.context)
    context = admin(home)
    first: Any = perform(context, "CreateKey", {})
    assert decrypt(context, encrypt(context, first.key_metadata.key_id)) == b"before"
    assert proved(home) == len(home.lines())


def test_no_share_and_no_slot_of_the_old_identity_is_left(home: Home) -> None:
    home.create_key()
    with home.context.session.read() as records:
        old_secret = records.vault_secret("admin").sealed
    old_seeds = [slot.seed for slot in home.context.session.vault.slots()[0]]
    renewals.rotate_own(home.context)
    home.close()
    database = (home.folder / "vault.db").read_bytes()
    for sealed in (old_secret, *old_seeds):
        assert base64.b64encode(sealed)[:80] not in database


def test_a_new_identity_that_does_not_come_to_be_changes_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    key_id = home.create_key()
    blob = encrypt(home.context, key_id)
    seed = home.context.session.identity.seed

    def full(*_: object) -> None:
        raise errors.InputOutputError(path="vault.db", reason="No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(home.context.session.vault.store, "put_head", full)
        assert refused(lambda: renewals.rotate_own(home.context)).exit_code == 1
    assert home.context.session.identity.seed == seed
    assert decrypt(home.context, blob) == b"before"
    assert decrypt(admin(home), blob) == b"before"
    assert proved(home) == len(home.lines())


def test_a_line_that_was_lost_after_the_commit_is_completed(home: Home) -> None:
    log = home.folder / "audit" / "00000001.jsonl"
    renewals.rotate_own(home.context)
    home.close()
    whole = log.read_bytes()
    # As a crash between commit and append leaves it: the line is signed by an identity that is no root any more.
    cut = whole[: whole[:-1].rindex(b"\n") + 1]
    log.write_bytes(cut)
    context = admin(home)
    principals.list_principals(context)
    assert log.read_bytes().startswith(whole)
    assert proved(home) == len(home.lines())


def test_who_is_no_root_cannot(home: Home) -> None:
    made(home, "bob")
    error = refused(lambda: renewals.rotate_own(acting(home, "bob")))
    assert (error.code, error.exit_code) == ("AccessDeniedException", 30)
    assert secret_of(home, "bob")


def test_a_request_is_not_a_request_to_join(home: Home) -> None:
    made(home, "bob")
    content = request_of(home)
    error = refused(lambda: principals.create_by_request(home.context, "carl", "user", content, path="r"))
    assert error.code == "InvalidRequest"
    assert isinstance(joining.decode_renewal(content, path=""), Renewal)
