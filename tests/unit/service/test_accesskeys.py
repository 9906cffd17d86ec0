"""Access keys: made, listed, made inactive and deleted by a root alone; found by the endpoint while they are good."""

import base64
import pickle
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from kmscli import errors
from kmscli.crypto.identity import Identity
from kmscli.formats import head, record
from kmscli.formats.record import PrincipalRecord, RootKey, RootSet
from kmscli.model import limits
from kmscli.service import accesskeys, accessshares, audits, principals, renewals
from kmscli.service.context import Change, Context
from kmscli.vault import accesskeys as secrets
from kmscli.vault.session import Session
from tests.faults.robber import traces
from tests.helpers import Clock, Home, named
from tests.several import acting, admin, keyfile_of, made


def refused(call: Callable[[], object]) -> errors.KmsError:
    with pytest.raises(errors.KmsError) as caught:
        call()
    return caught.value


def create(home: Home, name: str = "bob") -> accesskeys.AccessKey:
    return accesskeys.create_access_key(home.context, name).access_key


def found(context: Context, access_key_id: str) -> secrets.AccessKey | None:
    with context.session.read() as records:
        return secrets.find(context.session, records, access_key_id)


def secret(context: Context, access_key_id: str) -> str | None:
    key = found(context, access_key_id)
    return None if key is None else key.secret.value


def listed(home: Home, name: str | None = None) -> list[tuple[str, str, str]]:
    keys = accesskeys.list_access_keys(home.context, name).access_key_metadata
    return [(key.user_name, key.access_key_id, key.status) for key in keys]


def shares(home: Home) -> dict[str, int]:
    with home.context.session.read() as records:
        return {name: share.kek for name, share in records.access_key_shares.items()}


def proved(home: Home) -> bool:
    vault = home.open()
    try:
        return audits.verify(vault, full=True).lines == len(home.lines())
    finally:
        vault.store.close()


# -- made --


def test_an_access_key_is_answered_in_the_words_of_iam(home: Home) -> None:
    made(home, "bob")
    answer = named(accesskeys.create_access_key(home.context, "bob"))["AccessKey"]
    assert list(answer) == ["UserName", "AccessKeyId", "Status", "SecretAccessKey", "CreateDate"]
    assert re.fullmatch("AKIA[A-Z2-7]{16}", answer["AccessKeyId"])
    assert re.fullmatch("[A-Za-z0-9+/]{40}", answer["SecretAccessKey"])
    assert (answer["UserName"], answer["Status"]) == ("bob", "Active")
    assert answer["CreateDate"] == home.clock().replace(microsecond=123000)


def test_what_was_answered_signs_as_the_principal(home: Home) -> None:
    made(home, "ci", kind="role")
    key = create(home, "ci")
    good = found(home.context, key.access_key_id)
    assert good is not None
    assert good.secret.value == key.secret_access_key
    assert (good.access_key_id, good.status) == (key.access_key_id, "Active")
    assert (good.principal.arn, good.principal.record.name) == ("arn:aws:iam::000000000000:role/ci", "ci")


def test_a_root_has_access_keys_too(home: Home) -> None:
    key = create(home, "admin")
    good = found(home.context, key.access_key_id)
    assert good is not None
    assert good.principal.record.root
    assert proved(home)


def test_a_principal_has_two_at_most(home: Home) -> None:
    made(home, "bob")
    both = [create(home).access_key_id, create(home).access_key_id]
    error = refused(lambda: create(home))
    assert (error.code, error.exit_code) == ("LimitExceeded", 31)
    assert error.message == f"Cannot exceed quota for AccessKeysPerUser: {limits.ACCESS_KEYS_MAX}"
    accesskeys.delete_access_key(home.context, both[0])
    create(home)


def test_one_of_nobody_is_not_made(home: Home) -> None:
    error = refused(lambda: create(home, "nobody"))
    assert (error.code, error.message) == ("NoSuchEntity", "The principal with name nobody cannot be found.")
    assert shares(home) == {}


def test_the_line_tells_of_it_without_its_secret(home: Home) -> None:
    made(home, "bob")
    key = create(home)
    line = home.lines()[-1]
    assert (line["eventName"], line["requestParameters"]) == ("CreateAccessKey", {"userName": "bob"})
    shown = line["responseElements"]["accessKey"]
    assert shown.pop("createDate")
    assert shown == {"userName": "bob", "accessKeyId": key.access_key_id, "status": "Active"}
    assert key.secret_access_key is not None
    assert key.secret_access_key.encode() not in b"".join(home.raw_lines())


@pytest.mark.parametrize(
    "act",
    [
        lambda context, _: accesskeys.create_access_key(context, "bob"),
        lambda context, key: accesskeys.set_status(context, key, "Inactive"),
        accesskeys.delete_access_key,
    ],
    ids=["create", "update", "delete"],
)
def test_only_a_root_changes_them(home: Home, act: Callable[[Context, str], object]) -> None:
    made(home, "bob")
    key = create(home)
    error = refused(lambda: act(acting(home, "bob"), key.access_key_id))
    assert error.code == "AccessDeniedException"
    assert re.search("not authorized to perform: iam:(Create|Update|Delete)AccessKey", error.message)
    assert secret(home.context, key.access_key_id) == key.secret_access_key
    assert home.lines()[-1]["errorCode"] == "AccessDeniedException"


def test_a_secret_neither_prints_nor_pickles(home: Home) -> None:
    key = create(home, "admin")
    good = found(home.context, key.access_key_id)
    assert good is not None
    assert key.secret_access_key is not None
    for shown in (repr(good), str(good), repr(good.secret), f"{good.secret}", repr(key)):
        assert key.secret_access_key not in shown
    for value in (good, good.secret, key):
        with pytest.raises(TypeError):
            pickle.dumps(value)


def test_its_secret_lies_in_no_file(home: Home) -> None:
    key = create(home, "admin")
    assert key.secret_access_key is not None
    files = b"".join(path.read_bytes() for path in home.folder.rglob("*") if path.is_file())
    assert key.secret_access_key.encode() not in files
    assert base64.b64encode(key.secret_access_key.encode())[:-4] not in files


# -- found --


@pytest.mark.parametrize(
    "name",
    ["", "AKIA", "AKIA" + "A" * 16, "akia" + "a" * 16, "AKIA" + "A" * 17, "AKIA/../principal/admin", "é", "a\n"],
)
def test_what_is_no_access_key_is_not_found(home: Home, name: str) -> None:
    create(home, "admin")
    assert found(home.context, name) is None


def test_an_inactive_one_is_good_for_nothing_until_it_is_active_again(home: Home) -> None:
    made(home, "bob")
    key = create(home)
    assert named(accesskeys.set_status(home.context, key.access_key_id, "Inactive")) == {}
    assert found(home.context, key.access_key_id) is None
    assert listed(home) == [("bob", key.access_key_id, "Inactive")]
    line = home.lines()[-2]
    expected = {"userName": "bob", "accessKeyId": key.access_key_id, "status": "Inactive"}
    assert (line["eventName"], line["requestParameters"]) == ("UpdateAccessKey", expected)
    accesskeys.set_status(home.context, key.access_key_id, "Active")
    assert secret(home.context, key.access_key_id) == key.secret_access_key


def test_one_of_a_disabled_principal_is_good_for_nothing_at_once(home: Home) -> None:
    made(home, "bob")
    key, endpoint = create(home), admin(home)
    assert found(endpoint, key.access_key_id)
    principals.set_state(home.context, "bob", "disabled")
    assert found(endpoint, key.access_key_id) is None
    principals.set_state(home.context, "bob", "enabled")
    assert secret(endpoint, key.access_key_id) == key.secret_access_key


def test_a_deleted_one_is_gone_and_leaves_no_trace(home: Home) -> None:
    made(home, "bob")
    key, other, endpoint = create(home), create(home), admin(home)
    assert found(endpoint, key.access_key_id)
    with home.context.session.read() as records:
        sealed = [record.sealed for record in [records.access_key(key.access_key_id)] if record]
    assert sealed == traces(home.folder, sealed)
    assert named(accesskeys.delete_access_key(home.context, key.access_key_id)) == {}
    assert found(endpoint, key.access_key_id) is None
    assert secret(endpoint, other.access_key_id) == other.secret_access_key
    assert listed(home) == [("bob", other.access_key_id, "Active")]
    assert [] == traces(home.folder, sealed)
    error = refused(lambda: accesskeys.delete_access_key(home.context, key.access_key_id))
    assert error.message == f"The Access Key with id {key.access_key_id} cannot be found."
    assert home.lines()[-1]["requestParameters"] == {"accessKeyId": key.access_key_id}
    assert proved(home)


def test_those_of_a_deleted_principal_go_with_it(home: Home) -> None:
    made(home, "bob")
    keys = [create(home), create(home)]
    with home.context.session.read() as records:
        sealed = [record.sealed for key in keys if (record := records.access_key(key.access_key_id))]
    principals.delete_principal(home.context, "bob")
    assert [None, None] == [found(home.context, key.access_key_id) for key in keys]
    assert [] == traces(home.folder, sealed)
    keyfile_of(home, "bob").unlink()
    made(home, "bob")
    assert listed(home, "bob") == []
    assert [None, None] == [found(home.context, key.access_key_id) for key in keys]
    assert proved(home)


def test_who_is_no_root_opens_nothing(home: Home) -> None:
    made(home, "bob")
    key, bob = create(home), acting(home, "bob")
    with pytest.raises(errors.InternalError):
        found(bob, key.access_key_id)


def test_finding_one_reads_no_more_records_where_there_are_many(home: Home) -> None:
    def groups_read(access_key_id: str) -> int:
        endpoint = admin(home)
        with endpoint.session.read() as records:
            before = records.size
            assert secrets.find(endpoint.session, records, access_key_id)
            return records.size - before

    made(home, "bob")
    key = create(home)
    alone = groups_read(key.access_key_id)
    for number in range(8):
        made(home, f"user{number}")
        create(home, f"user{number}")
    assert alone == groups_read(key.access_key_id) <= 3


# -- listed --


def test_all_are_listed_by_principal_and_anybody_may_ask(home: Home) -> None:
    made(home, "bob")
    mine, his = create(home, "admin").access_key_id, sorted([create(home).access_key_id, create(home).access_key_id])
    assert listed(home) == [("admin", mine, "Active"), *(("bob", key, "Active") for key in his)]
    assert listed(home, "bob") == [("bob", key, "Active") for key in his]
    assert len(accesskeys.list_access_keys(acting(home, "bob"), None).access_key_metadata) == 3
    assert home.lines()[-1]["eventName"] == "ListAccessKeys"
    assert refused(lambda: listed(home, "nobody")).code == "NoSuchEntity"


def request_with(access_key_id: str, **members: Any) -> dict[str, Any]:
    """The line of a request that was signed with an access key, as the endpoint writes it."""
    who = {"type": "IAMUser", "userName": "bob", "accessKeyId": access_key_id}
    return {"eventName": "Encrypt", "awsRegion": "local", "userIdentity": who} | members


def last_used(home: Home, access_key_id: str) -> dict[str, Any]:
    answer = named(accesskeys.list_access_keys(home.context, None))["AccessKeyMetadata"]
    (one,) = (each for each in answer if each["AccessKeyId"] == access_key_id)
    used: dict[str, Any] = one["LastUsed"]
    return used


@pytest.mark.parametrize("segment_bytes", [4096, 1 << 20])
def test_the_last_use_is_that_of_the_log(home: Home, clock: Clock, segment_bytes: int) -> None:
    (home.folder / "config.toml").write_text(f"[audit]\nsegment_bytes = {segment_bytes}\n")
    made(home, "bob")
    key, other = create(home), create(home)
    never = {"ServiceName": "N/A", "Region": "N/A"}
    assert never == last_used(home, key.access_key_id)
    clock.move(hours=1)
    home.context.session.note(request_with(key.access_key_id))
    clock.move(hours=1)
    home.context.session.note(request_with(key.access_key_id, errorCode="AccessDeniedException"))
    denied = home.lines()[-1]
    for _ in range(10):
        home.perform("ListKeys")
    used = last_used(home, key.access_key_id)
    assert used.pop("LastUsedDate").strftime("%Y-%m-%dT%H:%M:%SZ") == denied["eventTime"]
    assert used == {"ServiceName": "kms", "Region": "local"}
    assert never == last_used(home, other.access_key_id)


def test_a_use_that_somebody_else_claims_is_none(home: Home) -> None:
    made(home, "bob")
    key, bob = create(home), acting(home, "bob")
    bob.session.note(request_with(key.access_key_id))
    assert last_used(home, key.access_key_id) == {"ServiceName": "N/A", "Region": "N/A"}


# -- when the roots change --


def test_a_root_with_a_new_identity_reads_all_and_the_old_one_nothing(home: Home) -> None:
    made(home, "bob")
    keys = [create(home, "admin"), create(home), create(home)]
    old = home.context.session.identity
    with home.context.session.read() as records:
        sealed = [record.sealed for key in keys if (record := records.access_key(key.access_key_id))]
        sealed += [share.sealed for share in records.access_key_shares.values()]
    renewals.rotate_own(home.context)
    again = admin(home)
    assert [key.secret_access_key for key in keys] == [secret(again, key.access_key_id) for key in keys]
    assert shares(home) == {"admin": 2}
    assert [] == traces(home.folder, sealed)
    with again.session.read() as records:
        share = records.access_key_shares["admin"]
        with pytest.raises(errors.SealBrokenError):
            secrets.open_share(share, old, vault_id=records.vault.vault_id)
    accesskeys.set_status(again, keys[1].access_key_id, "Inactive")
    accesskeys.delete_access_key(again, keys[2].access_key_id)
    later = create(home)
    assert secret(again, later.access_key_id) == later.secret_access_key
    assert proved(home)


def test_a_session_that_was_open_before_goes_on_to_find_them(home: Home) -> None:
    key = create(home, "admin")
    assert secret(home.context, key.access_key_id) == key.secret_access_key
    renewals.rotate_own(home.context)
    assert secret(home.context, key.access_key_id) == key.secret_access_key


def test_a_vault_without_access_keys_has_no_share_of_them(home: Home) -> None:
    renewals.rotate_own(home.context)
    assert shares(home) == {}


EVE = Identity(b"e" * 32)


def as_eve(home: Home) -> Context:
    opened = msgspec.structs.replace(home.context.session.opened, identity=EVE)
    return Context(Session(home.open(), "eve", opened))


def set_roots(home: Home, *others: tuple[str, Identity]) -> None:
    """Have the admin and others be the roots, as whatever changes the set of roots must do it."""
    session = home.context.session
    with session.edit() as draft:
        change = Change(home.context, "SetRoots", draft)
        before = draft.root_set
        assert before is not None
        (own,) = (key for key in before.roots if key.principal == "admin")
        keys = [RootKey(principal=name, sign=who.sign_public, seal=who.seal_public) for name, who in others]
        unsigned = RootSet(vault_id=before.vault_id, number=before.number + 1, roots=(own, *keys), signer="admin")
        signature = session.identity.sign(head.root_set_bytes(record.encode(unsigned)))
        draft.put("roots", str(unsigned.number), msgspec.structs.replace(unsigned, signature=signature))
        for key in keys or [RootKey(principal="eve", sign=EVE.sign_public, seal=EVE.seal_public)]:
            body = PrincipalRecord(
                name=key.principal,
                kind="user",
                root=bool(keys),
                state="enabled",
                created=change.now,
                sign=key.sign,
                seal=key.seal,
            )
            draft.put("principal", key.principal, body)
        accessshares.follow_roots(change, session.identity)
        draft.event = {"eventName": "SetRoots"}
    session.shred()


def test_a_root_who_joins_reads_all_in_the_same_change(home: Home) -> None:
    key = create(home, "admin")
    set_roots(home, ("eve", EVE))
    assert shares(home) == {"admin": 1, "eve": 1}
    assert secret(as_eve(home), key.access_key_id) == key.secret_access_key
    made(home, "bob")
    later = accesskeys.create_access_key(as_eve(home), "bob").access_key
    assert secret(admin(home), later.access_key_id) == later.secret_access_key
    assert proved(home)


def test_a_root_who_leaves_reads_nothing_that_is_there_then(home: Home) -> None:
    made(home, "bob")
    key = create(home)
    set_roots(home, ("eve", EVE))
    with home.context.session.read() as records:
        share = records.access_key_shares["eve"]
        vault_id = records.vault.vault_id
    kept = secrets.open_share(share, EVE, vault_id=vault_id)
    set_roots(home)
    assert shares(home) == {"admin": 2}
    assert secret(home.context, key.access_key_id) == key.secret_access_key
    with home.context.session.read() as records:
        found_record = records.access_key(key.access_key_id)
    assert found_record is not None
    for kek in (1, 2):
        with pytest.raises(errors.SealBrokenError):
            secrets.open_secret(kept, msgspec.structs.replace(found_record, kek=kek), vault_id=vault_id)
    with pytest.raises(errors.InternalError):
        found(as_eve(home), key.access_key_id)
    assert [] == traces(home.folder, [share.sealed])
    assert proved(home)
