"""Who there is in a vault: principals made, shown, disabled, enabled, tagged and deleted, by a root alone.

Answers and errors are IAM's, since IAM has them in AWS. A principal's slots lie outside the records; here they come and
go with the record, in the same change.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from kmscli import errors
from kmscli.crypto.identity import SEED_BYTES, Identity
from kmscli.formats import joining, keyfile
from kmscli.formats.record import PrincipalRecord
from kmscli.formats.slot import Slot
from kmscli.model import ids, limits
from kmscli.service import accessshares, joins, newslots, sharing, tags, validate
from kmscli.service.context import Call, Change, Context
from kmscli.service.dispatch import Recorded
from kmscli.service.shapes import Request, Response, Tag, TagKey
from kmscli.service.vaults import check_label
from kmscli.vault import slots
from kmscli.vault.records import Member, Records
from kmscli.vault.secrets import Secret

R = TypeVar("R", bound=Response)
Kind = Literal["user", "role"]
PATH = "/"
"""IAM's path of every principal: there are no folders of them here."""


# -- what is answered --------------------------------------------------------------------------------------------------


class PrincipalTag(Response, frozen=True, kw_only=True):
    """One tag, in the words of IAM."""

    key: str
    value: str


class User(Response, frozen=True, kw_only=True):
    """A user.

    Attributes:
        state: `enabled` or `disabled`.
        root: Whether he may change records.
        key_fingerprint: Names his identity; holder and root compare it.
    """

    path: str
    user_name: str
    arn: str
    create_date: datetime
    tags: list[PrincipalTag]
    state: str
    root: bool
    key_fingerprint: str


class Role(Response, frozen=True, kw_only=True):
    """A role; members as of a user."""

    path: str
    role_name: str
    arn: str
    create_date: datetime
    tags: list[PrincipalTag]
    state: str
    root: bool
    key_fingerprint: str


class PrincipalResponse(Response, frozen=True, kw_only=True):
    """One principal.

    Attributes:
        policy_names: The policies that are attached to it.
        slots: Labels of the slots that open it; nobody proves that there are no others.
        shares_pending: There if shares of keys follow later: `kms run-due` makes them.
    """

    user: User | None = None
    role: Role | None = None
    policy_names: list[str] | None = None
    slots: list[str] | None = None
    shares_pending: bool | None = None

    @property
    def one(self) -> User | Role | None:
        """The user or the role."""
        return self.user or self.role


class PrincipalList(Response, frozen=True, kw_only=True):
    """All principals, in the order of their names."""

    users: list[User]
    roles: list[Role]


class PrincipalLine(Response, frozen=True, kw_only=True):
    """A principal in a list for people."""

    name: str
    kind: Kind
    state: str
    root: bool
    create_date: datetime


def in_short(found: PrincipalList) -> list[PrincipalLine]:
    """A line for each principal of a list."""
    users = [_line(each, each.user_name, "user") for each in found.users]
    return users + [_line(each, each.role_name, "role") for each in found.roles]


def _line(shown: User | Role, name: str, kind: Kind) -> PrincipalLine:
    return PrincipalLine(name=name, kind=kind, state=shown.state, root=shown.root, create_date=shown.create_date)


def answer(member: Member, *, pending: bool = False) -> PrincipalResponse:
    """The answer that shows a principal."""
    shown = _shown(member)
    later = True if pending else None
    if isinstance(shown, User):
        return PrincipalResponse(user=shown, shares_pending=later)
    return PrincipalResponse(role=shown, shares_pending=later)


def _shown(member: Member) -> User | Role:
    found = member.record
    common: dict[str, Any] = {
        "path": PATH,
        "arn": member.arn,
        "create_date": found.created,
        "tags": [PrincipalTag(key=key, value=value) for key, value in found.tags],
        "state": found.state,
        "root": found.root,
        "key_fingerprint": joining.key_fingerprint(found.sign, found.seal),
    }
    if found.kind == "user":
        return User(user_name=found.name, **common)
    return Role(role_name=found.name, **common)


# -- who may, and what is written down ---------------------------------------------------------------------------------


def find(records: Records, name: str) -> Member:
    """A principal that must be there.

    Raises:
        EntityNotFoundError: It is not.
    """
    found = records.member(name)
    if found is None:
        raise errors.EntityNotFoundError(what=f"The principal with name {name}")
    return found


def named(context: Context, name: str, operation: str) -> tuple[str, dict[str, Any]]:
    """IAM's name of an operation on a principal, and of the parameter that names it.

    Args:
        context: Who acts.
        name: The principal; one that is not there counts as a user.
        operation: Such as `Put{}Policy`.
    """
    with context.session.read() as records:
        found = records.member(name)
    kind = "role" if found is not None and found.record.kind == "role" else "user"
    return operation.format(kind.capitalize()), {f"{kind}Name": name}


def changed(context: Context, operation: str, parameters: Mapping[str, Any], act: Callable[[Change], R]) -> R:
    """What `act` changes and answers; only a root does that, and the line tells of it.

    Raises:
        KmsError: AccessDeniedException for who is no root; as `act`.
    """
    with Recorded(context, operation, read_only=False) as recorded:
        recorded.parameters = lambda: parameters
        with context.session.read() as records:
            if not context.is_root:
                raise errors.AccessDeniedError(
                    principal=find(records, context.session.principal).arn,
                    action=f"iam:{operation}",
                    resource="*",
                    denial="because only a root of the vault changes principals",
                    hint="ask a root of the vault; `kms serve` lets policy decide",
                )
        return recorded.change(act)


def looked_up(context: Context, operation: str, parameters: Mapping[str, Any], act: Callable[[Call], R]) -> R:
    """What `act` finds, which anybody may know; the line tells of it.

    Raises:
        KmsError: As `act`.
    """
    with Recorded(context, operation, read_only=True) as recorded:
        recorded.parameters = lambda: parameters
        return recorded.use(act)


# -- making ------------------------------------------------------------------------------------------------------------


def create_by_request(context: Context, name: str, kind: Kind, content: bytes, *, path: str) -> PrincipalResponse:
    """Let somebody in who made identity and slot himself.

    Args:
        context: Who acts: a root.
        name: The name that he asks for.
        kind: What he is to be.
        content: His request.
        path: Its file, for errors.

    Raises:
        KmsError: InvalidRequest, EntityAlreadyExists, LimitExceeded, AccessDeniedException.
    """

    def act(change: Change) -> PrincipalResponse:
        _refuse_taken(change.records, name)
        request, slot = joins.checked(change.records, name, content, taken=_slots(context), path=path)
        return _admit(change, name, kind, (request.sign, request.seal), slot)

    return changed(context, f"Create{kind.capitalize()}", {f"{kind}Name": name}, act)


def create_with_keyfile(context: Context, name: str, kind: Kind, new: Path, *, label: str) -> PrincipalResponse:
    """Make a principal and the keyfile that opens it, for a machine.

    Args:
        context: Who acts: a root.
        name: The principal.
        kind: What it is to be.
        new: Where the keyfile is made.
        label: Of its slot.

    Raises:
        KmsError: EntityAlreadyExists, LimitExceeded, FileExists, AccessDeniedException.
    """
    check_label(label)
    raw, session = context.rng(keyfile.SECRET_BYTES), context.session
    opened = msgspec.structs.replace(session.opened, identity=Identity(context.rng(SEED_BYTES)))
    slot = slots.make(
        context.rng, opened, Secret("keyfile", raw), principal=name, name=label, memory_mib=0, now=session.vault.clock()
    )
    keys = (opened.identity.sign_public, opened.identity.seal_public)

    def act(change: Change) -> PrincipalResponse:
        # Under the lock, and after all else was found right: so a keyfile never lies about for nobody.
        return _admit(change, name, kind, keys, slot)

    with newslots.written({new: keyfile.encode(raw)}):
        return changed(context, f"Create{kind.capitalize()}", {f"{kind}Name": name}, act)


def _refuse_taken(records: Records, name: str) -> None:
    if (found := records.member(name)) is not None:
        raise errors.EntityExistsError(what=f"{found.record.kind.capitalize()} with name {name}")


def _slots(context: Context) -> Sequence[Slot]:
    return context.session.vault.slots()[0]


def _admit(change: Change, name: str, kind: Kind, keys: tuple[bytes, bytes], slot: Slot) -> PrincipalResponse:
    ids.check_principal_name(name)
    records = change.records
    _refuse_taken(records, name)
    if len(records.roster) >= limits.PRINCIPALS_MAX:
        raise errors.EntityLimitError(problem=f"a vault has at most {limits.PRINCIPALS_MAX} principals")
    for old in _slots(change.context):
        if old.principal == name:
            # Left by nobody but who wrote into the file: it would be told to the newcomer as his own.
            change.draft.delete_slot(old.slot_id)
    sign, seal = keys
    record = PrincipalRecord(
        name=name, kind=kind, root=False, state="enabled", created=change.now, sign=sign, seal=seal
    )
    change.draft.put("principal", name, record)
    change.draft.put_slot(slot)
    pending = sharing.follow_principal(change, name)
    return answer(find(change.records, name), pending=pending)


# -- showing -----------------------------------------------------------------------------------------------------------


def list_principals(context: Context) -> PrincipalList:
    """All principals of the vault."""

    def act(call: Call) -> PrincipalList:
        found = [_shown(find(call.records, name)) for name in call.records.roster]
        return PrincipalList(
            users=[each for each in found if isinstance(each, User)],
            roles=[each for each in found if isinstance(each, Role)],
        )

    return looked_up(context, "ListPrincipals", {}, act)


def show_principal(context: Context, name: str) -> PrincipalResponse:
    """One principal, with the names of its policies and the labels of its slots.

    Raises:
        EntityNotFoundError: There is none.
    """
    labels = [slot.label for slot in _slots(context) if slot.principal == name]

    def act(call: Call) -> PrincipalResponse:
        member = find(call.records, name)
        shown = answer(member, pending=call.records.sharing(name) is not None)
        return msgspec.structs.replace(shown, policy_names=sorted(member.policies), slots=sorted(labels))

    operation, parameters = named(context, name, "Get{}")
    return looked_up(context, operation, parameters, act)


# -- changing ----------------------------------------------------------------------------------------------------------


def set_state(context: Context, name: str, state: Literal["enabled", "disabled"]) -> PrincipalResponse:
    """Disable a principal, who then can do nothing and holds no share; or enable it again.

    Raises:
        KmsError: NoSuchEntity, UnmodifiableEntity for a root, AccessDeniedException.
    """

    def act(change: Change) -> PrincipalResponse:
        member = _no_root(change, name)
        return update(change, member, state=state)

    operation = "EnablePrincipal" if state == "enabled" else "DisablePrincipal"
    return changed(context, operation, named(context, name, "{}")[1], act)


def delete_principal(context: Context, name: str) -> PrincipalResponse:
    """Delete a principal with its policies, its access keys, its slots and its shares.

    Returns:
        The principal as it was.

    Raises:
        KmsError: NoSuchEntity, UnmodifiableEntity for a root, AccessDeniedException.
    """

    def act(change: Change) -> PrincipalResponse:
        member = _no_root(change, name)
        # The sealed seeds leave the file, not only the tree.
        change.draft.destroys = True
        accessshares.forget(change, member.record.access_keys)
        for kind, record_id in list(change.draft.group(f"principal/{name}")):
            change.draft.delete(kind, record_id)
        for slot in _slots(context):
            if slot.principal == name:
                change.draft.delete_slot(slot.slot_id)
        return answer(member, pending=sharing.follow_principal(change, name))

    operation, parameters = named(context, name, "Delete{}")
    return changed(context, operation, parameters, act)


def _no_root(change: Change, name: str) -> Member:
    member = find(change.records, name)
    if member.record.root:
        raise errors.RootPrincipalError(name=name)
    return member


def update(change: Change, member: Member, **members: object) -> PrincipalResponse:
    """Write the record of a principal with some members replaced; its shares follow."""
    name = member.record.name
    change.draft.put("principal", name, msgspec.structs.replace(member.record, **members))
    pending = sharing.follow_principal(change, name)
    return answer(find(change.records, name), pending=pending)


class _TagRequest(Request, frozen=True, kw_only=True):
    tags: list[Tag]


class _UntagRequest(Request, frozen=True, kw_only=True):
    tag_keys: list[TagKey]


def tag_principal(context: Context, name: str, members: Mapping[str, object]) -> PrincipalResponse:
    """Give a principal tags; one that it has already gets the new value.

    Args:
        context: Who acts: a root.
        name: The principal.
        members: `Tags`, as of TagResource.

    Raises:
        KmsError: NoSuchEntity, TagException, ValidationException, AccessDeniedException.
    """

    def act(change: Change) -> PrincipalResponse:
        request = validate.decode(_TagRequest, members)
        member = find(change.records, name)
        new = tags.merged(member.record.tags, request.tags, most=limits.IDENTITY_TAGS_MAX)
        return update(change, member, tags=new)

    operation, parameters = named(context, name, "Tag{}")
    return changed(context, operation, parameters | {"tags": members.get("Tags")}, act)


def untag_principal(context: Context, name: str, members: Mapping[str, object]) -> PrincipalResponse:
    """Take tags from a principal; `members` is `TagKeys`, as of UntagResource; errors as `tag_principal`."""

    def act(change: Change) -> PrincipalResponse:
        request = validate.decode(_UntagRequest, members)
        member = find(change.records, name)
        left = tuple(pair for pair in member.record.tags if pair[0] not in request.tag_keys)
        return update(change, member, tags=left)

    operation, parameters = named(context, name, "Untag{}")
    return changed(context, operation, parameters | {"tagKeys": members.get("TagKeys")}, act)
