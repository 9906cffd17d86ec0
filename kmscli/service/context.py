"""What an operation works with: the session of who acts, one state of the vault, and the keys it touches.

`Call` is what an operation that only uses keys gets, `Change` what one that writes records gets. Both note which keys
were touched, for the audit line.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from kmscli import errors
from kmscli.formats.record import GrantRecord, RootKey
from kmscli.model import grant, ids, limits
from kmscli.model.key import KeyState, next_state
from kmscli.model.limits import AccountLimits
from kmscli.model.request import NO_KEY
from kmscli.model.specs import KEY_SPECS, UNSUPPORTED
from kmscli.service import lifecycle
from kmscli.service.callers import Caller
from kmscli.service.facts import Ask
from kmscli.vault import shares
from kmscli.vault.records import KeyGroup, Member, Records

if TYPE_CHECKING:
    # Help loads this module with those of the operations, and pays for nothing that works on a vault.
    from kmscli.model.decision import Decision
    from kmscli.service.authority import Verdict
    from kmscli.service.shapes import Request
    from kmscli.vault.draft import Draft
    from kmscli.vault.session import Session


class Context:
    """Who acts, in which vault, with which clock and randomness.

    Attributes:
        session: What reads, unseals and signs.
    """

    def __init__(self, session: "Session", caller: Caller | None = None) -> None:
        """Work as the principal of `session`, or for one who calls through it."""
        self.session = session
        self._caller = caller
        self._warned: set[str] = set()

    @property
    def caller(self) -> Caller:
        """Who asks, about whom the policies decide."""
        return self._caller or Caller(self.session.principal, self.session.is_role)

    @property
    def is_root(self) -> bool:
        """Whether the session may change records."""
        return any(root.principal == self.session.principal for root in self.session.roots)

    @property
    def limits(self) -> AccountLimits:
        """What bounds the account."""
        return limits.PROFILES[self.session.vault.config.profile]

    def warn_once(self, text: str) -> None:
        """Tell the user something that many operations would find."""
        if text not in self._warned:
            self._warned.add(text)
            self.session.vault.warn(text)

    @property
    def rng(self) -> Callable[[int], bytes]:
        """Gives random bytes."""
        return self.session.vault.rng


class WorkIsDue(Exception):  # noqa: N818 - it is no fault: `dispatch` does the work and begins the operation anew
    """A key that a root touched has something due that must be written first.

    Attributes:
        key_id: The key.
    """

    def __init__(self, key_id: str) -> None:
        """Name the key."""
        super().__init__(key_id)
        self.key_id = key_id


class Call:
    """One operation at work on one state of the vault.

    Attributes:
        context: Who acts.
        operation: AWS's name of it.
        records: The state.
        now: The time.
        request: The request, None for work that nobody asked for.
        touched: ARNs of the keys it named, in order.
        decisions: What was decided about it, in order.
        until: From then on the keys that were touched may be in another state by themselves; None = never.
    """

    def __init__(self, context: Context, operation: str, records: Records, now: datetime) -> None:
        """Begin."""
        self.context = context
        self.operation = operation
        self.records = records
        # AWS tells times in whole milliseconds.
        self.now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self.request: Request | None = None
        self.touched: list[str] = []
        self.decisions: list[Decision] = []
        self.until: datetime | None = None

    @property
    def rng(self) -> Callable[[int], bytes]:
        """Gives random bytes."""
        return self.context.rng

    def arn_of(self, key_id: str) -> str:
        """The ARN of a key by its id."""
        return ids.key_arn(self.records.place, key_id)

    @property
    def member(self) -> Member:
        """Who acts.

        Raises:
            PrincipalNotFoundError: The principal was deleted in this state of the vault.
        """
        name = self.context.caller.name
        found = self.records.member(name)
        if found is None:
            raise errors.PrincipalNotFoundError(principal=name)
        return found

    def principal_arn(self) -> str:
        """The ARN of who acts."""
        return self.member.arn

    def find(self, named: str, ask: Ask | None = None) -> KeyGroup:
        """The key that a KeyId member names, whatever its state, if the operation on it is allowed.

        Args:
            named: The KeyId member.
            ask: What is to be allowed; None = the operation.

        Raises:
            KmsError: NotFoundException or InvalidArnException, with a hint; AccessDeniedException.
        """
        key = self.resolve(named)
        self.decide(key, ask, alias=self._alias_in(named))
        return key

    def resolve(self, named: str) -> KeyGroup:
        """The key that a KeyId member names, without a decision about what is done with it; errors as `find`."""
        key_id = self.named_id(named)
        key = self.records.key(key_id) if key_id and ids.is_key_id(key_id) else None
        if key is None:
            raise errors.KeyNotFoundError(arn=ids.key_arn(self.records.place, key_id or named))
        return self._touch(key)

    def named_id(self, named: str) -> str | None:
        """The key id that a KeyId member stands for, whether there is such a key or not; errors as `find`."""
        ref = ids.parse_key_ref(named, self.records.place)
        return ref.key_id if ref.alias is None else self._target(ref.alias)

    def _alias_in(self, named: str) -> str | None:
        if ids.ALIAS_PREFIX not in named:
            return None
        return ids.parse_key_ref(named, self.records.place).alias

    def decide(
        self,
        key: KeyGroup,
        ask: Ask | None = None,
        *,
        alias: str | None = None,
        grants: Iterable[GrantRecord] | None = None,
    ) -> None:
        """Refuse what no policy and no grant allows who acts, or what one denies.

        Args:
            key: The key.
            ask: What is to be allowed; None = the operation.
            alias: The alias by which the request named the key.
            grants: Those that may allow it; None = all on the key.

        Raises:
            AccessDeniedError: In AWS's words, with the reason.
        """
        from kmscli.service import authority  # help, which loads this module too, decides about nothing

        asked = ask or Ask(self.operation, self.request)
        verdict = authority.decide(
            self.records,
            self.member,
            asked,
            now=self.now,
            origin=self.context.caller.origin,
            about=key,
            alias=alias,
            grants=lambda: self.records.grants(key.record.key_id).values() if grants is None else grants,
        )
        self._take(verdict, key.arn)

    def decide_without_key(self, ask: Ask | None = None, resource: str = NO_KEY) -> None:
        """The same for an operation without a key, or for its part that is about an alias; errors as `decide`."""
        from kmscli.service import authority

        asked = ask or Ask(self.operation, self.request)
        origin = self.context.caller.origin
        verdict = authority.decide(self.records, self.member, asked, now=self.now, origin=origin, about=resource)
        self._take(verdict, resource)

    def _take(self, verdict: "Verdict", resource: str) -> None:
        decision = verdict.decision
        self.decisions.append(decision)
        self._turns_at(verdict.until)
        if not decision.allowed:
            raise errors.AccessDeniedError(
                principal=self.principal_arn(),
                action=decision.action,
                resource=resource,
                denial=decision.denial,
                hint=self._explain(decision.action, resource),
            )

    def _explain(self, action: str, resource: str) -> str:
        of_key = "" if resource == NO_KEY else f" -k {resource.rpartition('/')[2]}"
        return f"`kms explain --for {self.context.caller.name} --action {action}{of_key}` says more"

    def _target(self, alias: str) -> str:
        found = self.records.alias(alias)
        if found is None:
            raise errors.AliasNotFoundError(arn=ids.alias_arn(self.records.place, alias))
        return found.key_id

    def _touch(self, key: KeyGroup) -> KeyGroup:
        """Note that the operation depends on `key`, as it is at this time.

        Raises:
            WorkIsDue: Who acts is a root, who has to write something down first.
            KeyNotFoundError: The waiting for its end is over.
        """
        if key.arn not in self.touched:
            self.touched.append(key.arn)
        if lifecycle.has_dates(key.record):
            self._meet_time(key)
        return key

    def _meet_time(self, key: KeyGroup) -> None:
        self._turns_at(lifecycle.turning_point(key, self.now))
        if (work := lifecycle.due(key, self.now)) is not None:
            if self.context.is_root:
                raise WorkIsDue(key.record.key_id)
            if work == "RotateKey":
                self.context.warn_once(f"{key.arn}: its automatic rotation is overdue; a root's next use makes it")
        if lifecycle.is_gone(key, self.now):
            raise errors.KeyNotFoundError(arn=key.arn)

    def _turns_at(self, time: datetime | None) -> None:
        if time is not None:
            self.until = min(time, self.until or time)

    def is_there(self, key_id: str) -> bool:
        """Whether there is such a key and the waiting for its end is not over; asking touches no key."""
        key = self.records.key(key_id)
        if key is None or lifecycle.is_gone(key, self.now):
            return False
        self._turns_at(key.record.deletion_date)
        return True

    def by_ciphertext(self, key_id: str, ask: Ask) -> KeyGroup:
        """The key that a ciphertext names, if `ask` is allowed.

        Raises:
            UnknownCiphertextKeyError: It is not in this vault.
            AccessDeniedError: It may not be used so.
        """
        key = self.records.key(key_id)
        if key is None:
            raise errors.UnknownCiphertextKeyError
        try:
            self._touch(key)
        except errors.KeyNotFoundError:
            # As for a key that never was: an answer does not tell that there was one.
            raise errors.UnknownCiphertextKeyError from None
        self.decide(key, ask)
        return key

    def check_state(self, key: KeyGroup) -> KeyState:
        """The state in which the operation leaves the key.

        Raises:
            KmsError: DisabledException or KMSInvalidStateException, as the key's state demands.
        """
        state = lifecycle.state_of(key, self.now)
        return next_state(self.operation, state, arn=key.arn, key_id=key.record.key_id)

    def usable(
        self, named: str, usage: str, grant_tokens: Sequence[str] | None = None, ask: Ask | None = None
    ) -> KeyGroup:
        """The key that a member names, if its state and its usage let the operation use it now.

        Args:
            named: The KeyId member.
            usage: The KeyUsage that the operation needs.
            grant_tokens: The GrantTokens member.
            ask: What is to be allowed; None = the operation.

        Raises:
            KmsError: NotFoundException, AccessDeniedException, InvalidGrantTokenException, the key's state,
                InvalidKeyUsageException.
        """
        key = self.find(named, ask)
        self.check_grant_tokens(grant_tokens)
        self.check_state(key)
        self.check_usage(key, usage)
        return key

    def require_origin(self, key: KeyGroup, origin: str) -> None:
        """Refuse a key whose material comes from elsewhere.

        Raises:
            UnsupportedOperationError: It does.
        """
        if key.record.origin != origin:
            raise errors.UnsupportedOperationError(
                problem=f"{key.arn} origin is {key.record.origin} which is not valid for this operation.",
            )

    def check_usage(self, key: KeyGroup, usage: str) -> None:
        """Refuse a key that is for something else.

        Raises:
            InvalidKeyUsageError: Its KeyUsage is another.
        """
        if key.record.key_usage != usage:
            raise errors.InvalidKeyUsageError(
                problem=f"{key.arn} key usage is {key.record.key_usage} which is not valid for {self.operation}.",
                hint=f"{self.operation} needs a key whose usage is {usage}",
            )

    def check_algorithm(self, key: KeyGroup, algorithm: str) -> None:
        """Refuse an algorithm that the key does not have.

        Raises:
            UnsupportedOperationError: Nobody here has it.
            InvalidKeyUsageError: Other keys have it.
        """
        refuse_unsupported(algorithm)
        known = KEY_SPECS[key.record.key_spec].usages[key.record.key_usage]
        if algorithm not in known:
            raise errors.InvalidKeyUsageError(
                problem=f"Algorithm {algorithm} is incompatible with key spec {key.record.key_spec}.",
                hint=f"this key has {' and '.join(known)}",
            )

    def check_grant_tokens(self, tokens: Sequence[str] | None) -> None:
        """Refuse a token that names no grant; grants count at once, so a good one changes nothing.

        Raises:
            InvalidGrantTokenError: It names none.
        """
        for token in tokens or ():
            named = grant.parse_grant_token(token)
            if named.grant_id not in self.records.grants(named.key_id) or not self.is_there(named.key_id):
                raise errors.InvalidGrantTokenError

    def kek(self, key: KeyGroup) -> bytes:
        """The key-encryption key of a key, by the share of who acts.

        Raises:
            AccessDeniedError: Who acts has no share.
        """
        session = self.context.session
        share = key.shares.get(session.principal)
        if share is None or share.kek != key.record.kek:
            raise self._no_share(key)
        vault_id = self.records.vault.vault_id
        try:
            return session.unsealed.get(
                ("share", share.key_id, share.principal, share.kek, share.sealed),
                lambda: shares.open_share(share, session.identity, vault_id=vault_id),
            )
        except errors.SealBrokenError:
            if self.records.sharing(session.principal) is None:
                raise
            # Sealed to the identity that this one has taken the place of.
            raise self._no_share(key) from None

    def _no_share(self, key: KeyGroup) -> errors.AccessDeniedError:
        return self.denied(key, "because its share of the key is not made yet", hint="a root's `kms run-due` makes it")

    def roots_only(self) -> errors.AccessDeniedError:
        """The error for what only a root of the vault can do."""
        resource = self.touched[-1] if self.touched else "*"
        return errors.AccessDeniedError(
            principal=self.principal_arn(),
            action=f"kms:{self.operation}",
            resource=resource,
            denial="because only a root of the vault changes it",
            hint="ask a root of the vault; `kms serve` lets policy decide",
        )

    def denied(self, key: KeyGroup, denial: str, *, hint: str | None = None) -> errors.AccessDeniedError:
        """The error for a key that may not be used so; `denial` ends AWS's sentence."""
        return errors.AccessDeniedError(
            principal=self.principal_arn(), action=f"kms:{self.operation}", resource=key.arn, denial=denial, hint=hint
        )


def refuse_unsupported(value: str) -> None:
    """Refuse a value that AWS's enums have and kms does not.

    Raises:
        UnsupportedOperationError: It is one.
    """
    if value in UNSUPPORTED:
        raise errors.UnsupportedOperationError(problem=f"{value} is not supported: {UNSUPPORTED[value]}")


class Change(Call):
    """One operation that writes records.

    Attributes:
        draft: The change in the making.
    """

    def __init__(self, context: Context, operation: str, draft: "Draft") -> None:
        """Begin."""
        super().__init__(context, operation, draft, draft.now)
        self.draft = draft

    def editable(self, named: str, ask: Ask | None = None) -> KeyGroup:
        """The key that a KeyId member names, if users may change it; its state is not yet checked.

        Raises:
            AccessDeniedError: A service of kms made the key for itself.
        """
        key = self.find(named, ask)
        if key.record.manager == "AWS":
            raise self.denied(key, "because the key is managed by kms: it can be used, not changed")
        return key

    def update(self, key: KeyGroup, **members: object) -> KeyGroup:
        """Write the record of `key` with some members replaced; returns the key as it is then."""
        record = msgspec.structs.replace(key.record, **members)
        self.draft.put("key", record.key_id, record)
        return msgspec.structs.replace(key, record=record)

    def roots(self) -> tuple[RootKey, ...]:
        """The public keys of every root: each gets a share of every key."""
        return self.context.session.roots
