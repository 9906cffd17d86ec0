"""Questions about requests that nobody makes: who, what, which key, under which circumstances, from the records alone.

Nothing is unlocked and nothing is written down. As `kms status`, it takes the vault's own word for its roots unless
this user saw the vault before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.model import actions, changes, conditionkeys, ids, principals
from kmscli.model.changes import Change
from kmscli.model.decision import Policies
from kmscli.model.reach import facts as facts_of
from kmscli.model.request import NO_KEY, Request
from kmscli.service import authority, facts, operations
from kmscli.service.facts import Ask, Facts
from kmscli.service.grants import GrantConstraints
from kmscli.storage.paths import pin_file
from kmscli.vault import pin
from kmscli.vault.folder import Vault
from kmscli.vault.records import KeyGroup, Member, Records
from kmscli.vault.snapshot import Snapshot

_HALVES = {"kms:ReEncryptFrom": "source_", "kms:ReEncryptTo": "destination_"}


@contextmanager
def proved(vault: Vault) -> Iterator[Snapshot]:
    """One state of the vault, nothing unlocked.

    Raises:
        VaultTamperedError: It is not the one that its roots signed.
        RollbackError: It is older than this user saw it, or has other roots.
    """
    with vault.store.snapshot():
        path = pin_file(Snapshot(vault.store, None).head.vault_id)
    seen = pin.load(path)
    with vault.store.snapshot():
        snapshot = Snapshot(vault.store, None)
        if seen:
            pin.check_state(seen, path, snapshot)
        yield snapshot


# -- who, and which key ------------------------------------------------------------------------------------------------


class Subject(msgspec.Struct, frozen=True):
    """Somebody who might ask.

    Attributes:
        arn: Of the principal, or of a session of a role.
        member: The principal of the vault that it is, None if it is none; then nothing is known of its own policies.
    """

    arn: str
    member: Member | None


def subject(records: Records, named: str) -> Subject:
    """The principal that a name or an ARN stands for.

    Raises:
        PrincipalNotFoundError: A name that nobody has here.
        InvalidArnError: The ARN of no principal.
    """
    if not named.startswith("arn:"):
        member = records.member(named)
        if member is None:
            raise errors.PrincipalNotFoundError(principal=named)
        return Subject(member.arn, member)
    parsed = principals.parse_arn(principals.check_arn(named))
    if parsed is None or parsed.account != records.place.account:
        return Subject(named, None)
    member = records.member(parsed.name.partition("/")[0] if parsed.kind == "assumed-role" else parsed.name)
    known = member is not None and principals.stands_for(member.arn, named)
    return Subject(named, member if known else None)


def key_of(records: Records, named: str) -> tuple[KeyGroup, str | None]:
    """The key that a KeyId stands for, and the alias by which it is named.

    Raises:
        KmsError: NotFoundException or InvalidArnException.
    """
    ref = ids.parse_key_ref(named, records.place)
    alias = None if ref.alias is None else records.alias(ref.alias)
    if ref.alias is not None and alias is None:
        raise errors.AliasNotFoundError(arn=ids.alias_arn(records.place, ref.alias))
    key_id = alias.key_id if alias is not None else ref.key_id
    key = records.key(key_id) if key_id and ids.is_key_id(key_id) else None
    if key is None:
        raise errors.KeyNotFoundError(arn=ids.key_arn(records.place, key_id or named))
    return key, ref.alias


def policies(records: Records, who: Subject, key: KeyGroup | None) -> Policies:
    """What can allow or deny somebody something, all grants on the key among it."""
    grants = [] if key is None else list(records.grants(key.record.key_id).values())
    if who.member is not None:
        return authority.policies(records, who.member, key, grants)
    account = records.place.account
    document = None if key is None else authority.key_document(key, account)
    return Policies(account=account, key=document, identity={}, grants=[authority.grant_of(each) for each in grants])


# -- what, and under which circumstances -------------------------------------------------------------------------------


def action_named(text: str) -> str:
    """AWS's spelling of an action that somebody names, with `kms:` or without, or as the verb.

    Raises:
        ValidationError: There is none.
    """
    found = actions.canonical(text) or actions.canonical(text.replace("-", ""))
    if found is None:
        halves = text.lower().rpartition(":")[2].replace("-", "") == "reencrypt"
        raise errors.ValidationError(
            problem=f"{text!r} is no action of KMS",
            hint="it asks for kms:ReEncryptFrom and kms:ReEncryptTo" if halves else "such as kms:Decrypt",
        )
    return found


def asked(
    records: Records,
    who: Subject,
    action: str,
    key: KeyGroup | None,
    *,
    now: datetime,
    alias: str | None = None,
    members: Mapping[str, object] | None = None,
    same_key: bool | None = None,
) -> Request:
    """The request of somebody, with the facts that it would have.

    Args:
        records: The state.
        who: Who asks.
        action: In AWS's spelling.
        key: The key, None for an action without one.
        now: When.
        alias: The alias by which the request names the key.
        members: Members of the operation's request under our names; those that are absent have their defaults.
        same_key: Whether both sides of a ReEncrypt are one key.
    """
    ask = Ask(action.removeprefix("kms:"), _members(action, members or {}), _HALVES.get(action, ""), same_key)
    context, constraint = facts.bound_context(ask)
    granted = tuple(ask.member("operations") or ()) if ask.action == "CreateGrant" else ()
    return Request(
        principal=who.arn,
        action=action,
        resource=key.arn if key else NO_KEY,
        now=now,
        context=facts.circumstances(ask, records.place, key, alias) | _facts(records, who, action, now),
        encryption_context=context,
        constraint=constraint,
        operations=granted,
    )


def _members(action: str, members: Mapping[str, object]) -> msgspec.Struct:
    """A request of the operation that need not be whole."""
    names = fields_of(action)
    return msgspec.defstruct("Members", names)(*map(members.get, names))


def fields_of(action: str) -> tuple[str, ...]:
    """The members of the request that an action is about; none for an operation that kms does not have."""
    name = "ReEncrypt" if action in _HALVES else action.removeprefix("kms:")
    return operations.load(name).request.__struct_fields__ if name in operations.OPERATIONS else ()


def _facts(records: Records, who: Subject, action: str, now: datetime) -> Facts:
    known: Facts = {}
    if who.member is not None:
        known |= facts.principal_facts(who.member, records.place, now)
    known |= {"aws:CurrentTime": changes.iso(now), "aws:EpochTime": str(int(now.timestamp()))}
    spelt = {name.lower(): name for name in conditionkeys.CONDITION_KEYS}
    return known | {spelt[name]: value for name, value in facts_of(who.arn, action).items()}


def with_context(action: str, pairs: Mapping[str, str]) -> dict[str, object]:
    """The members that give a request an encryption context.

    Raises:
        UsageError: The action has none.
    """
    if not pairs:
        return {}
    if action == "kms:CreateGrant":
        return {"constraints": GrantConstraints(encryption_context_subset=dict(pairs))}
    name = f"{_HALVES.get(action, '')}encryption_context"
    if name not in fields_of(action):
        raise errors.UsageError(problem=f"a request for {action} has no encryption context")
    return {name: dict(pairs)}


def with_facts(request: Request, given: Iterable[tuple[str, str]]) -> Request:
    """A request with condition keys as somebody gives them; one that is given several times has several values.

    Raises:
        UsageError: No condition key, or one that has its own option.
    """
    found: dict[str, list[str]] = {}
    for key, value in given:
        _check_settable(key, request.action)
        found.setdefault(conditionkeys.spelling(key), []).append(value)
    return changes.applied(request, [_change(key, values) for key, values in found.items()])


def _check_settable(key: str, action: str) -> None:
    if key.lower() in (*changes.TIME_KEYS, changes.CONTEXT_KEYS):
        option = "--at" if key.lower() in changes.TIME_KEYS else "-c"
        raise errors.UsageError(problem=f"--set does not take {key}", hint=f"use {option}")
    if conditionkeys.name_of(key) is None:
        raise errors.UsageError(
            problem=f"{key} is no condition key of KMS", hint="such as aws:SourceIp or kms:RequestAlias"
        )
    if not conditionkeys.may_be_present(key, action.removeprefix("kms:")):
        raise errors.UsageError(problem=f"no request for {action} has {key}")


def _change(key: str, values: Sequence[str]) -> Change:
    if key.lower().startswith(changes.CONTEXT_PREFIX):
        return Change(changes.PAIR, key[len(changes.CONTEXT_PREFIX) :], tuple(values))
    return Change(changes.KEY, key, tuple(values))
