"""What an operation works with: the session of who acts, one state of the vault, and the keys it touches.

`Call` is what an operation that only uses keys gets, `Change` what one that writes records gets. Both note which keys
were touched, for the audit line.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from kmscli import errors
from kmscli.formats.record import RootKey
from kmscli.model import ids
from kmscli.model.key import KeyState, next_state
from kmscli.vault import shares
from kmscli.vault.draft import Draft
from kmscli.vault.records import KeyGroup, Records
from kmscli.vault.session import Session


class Context:
    """Who acts, in which vault, with which clock and randomness."""

    def __init__(self, session: Session) -> None:
        """Work as the principal of `session`."""
        self.session = session

    @property
    def rng(self) -> Callable[[int], bytes]:
        """Gives random bytes."""
        return self.session.vault.rng


class Call:
    """One operation at work on one state of the vault.

    Attributes:
        context: Who acts.
        operation: AWS's name of it.
        records: The state.
        touched: ARNs of the keys it named, in order.
    """

    def __init__(self, context: Context, operation: str, records: Records) -> None:
        """Begin."""
        self.context = context
        self.operation = operation
        self.records = records
        self.touched: list[str] = []

    @property
    def rng(self) -> Callable[[int], bytes]:
        """Gives random bytes."""
        return self.context.rng

    def arn(self, key: KeyGroup) -> str:
        """The ARN of a key."""
        return ids.key_arn(self.records.place, key.record.key_id)

    def principal_arn(self) -> str:
        """The ARN of who acts."""
        return ids.user_arn(self.records.place, self.context.session.principal)

    def find(self, named: str) -> KeyGroup:
        """The key that a KeyId member names, whatever its state.

        Raises:
            KmsError: NotFoundException or InvalidArnException, with a hint.
        """
        ref = ids.parse_key_ref(named, self.records.place)
        key_id = ref.key_id if ref.alias is None else self._target(ref.alias)
        key = self.records.key(key_id) if key_id and ids.is_key_id(key_id) else None
        if key is None:
            raise errors.KeyNotFoundError(arn=ids.key_arn(self.records.place, key_id or named))
        return self._touch(key)

    def _target(self, alias: str) -> str:
        found = self.records.alias(alias)
        if found is None:
            raise errors.AliasNotFoundError(arn=ids.alias_arn(self.records.place, alias))
        return found.key_id

    def _touch(self, key: KeyGroup) -> KeyGroup:
        if (arn := self.arn(key)) not in self.touched:
            self.touched.append(arn)
        return key

    def by_ciphertext(self, key_id: str) -> KeyGroup:
        """The key that a ciphertext names.

        Raises:
            UnknownCiphertextKeyError: It is not in this vault.
        """
        key = self.records.key(key_id)
        if key is None:
            raise errors.UnknownCiphertextKeyError
        return self._touch(key)

    def check_state(self, key: KeyGroup) -> KeyState:
        """The state in which the operation leaves the key.

        Raises:
            KmsError: DisabledException or KMSInvalidStateException, as the key's state demands.
        """
        arn = self.arn(key)
        return next_state(self.operation, KeyState(key.record.state), arn=arn, key_id=key.record.key_id)

    def kek(self, key: KeyGroup) -> bytes:
        """The key-encryption key of a key, by the share of who acts.

        Raises:
            AccessDeniedError: Who acts has no share.
        """
        session = self.context.session
        vault_id = self.records.vault.vault_id
        kek = shares.open_share(key, session.principal, session.identity, vault_id=vault_id)
        if kek is None:
            raise self.denied(key, "no share of the key was given to this principal")
        return kek

    def denied(self, key: KeyGroup, reason: str) -> errors.AccessDeniedError:
        """The error for a key that may not be used so."""
        return errors.AccessDeniedError(
            principal=self.principal_arn(), action=f"kms:{self.operation}", resource=self.arn(key), reason=reason
        )


class Change(Call):
    """One operation that writes records.

    Attributes:
        draft: The change in the making.
    """

    def __init__(self, context: Context, operation: str, draft: Draft) -> None:
        """Begin."""
        super().__init__(context, operation, draft)
        self.draft = draft

    @property
    def now(self) -> datetime:
        """The time of the change, in whole milliseconds as AWS tells times."""
        return self.draft.now.replace(microsecond=self.draft.now.microsecond // 1000 * 1000)

    def editable(self, named: str) -> KeyGroup:
        """The key that a KeyId member names, if users may change it; its state is not yet checked.

        Raises:
            AccessDeniedError: A service of kms made the key for itself.
        """
        key = self.find(named)
        if key.record.manager == "AWS":
            raise self.denied(key, "the key is managed by kms: it can be used, not changed")
        return key

    def update(self, key: KeyGroup, **members: object) -> KeyGroup:
        """Write the record of `key` with some members replaced; returns the key as it is then."""
        record = msgspec.structs.replace(key.record, **members)
        self.draft.put("key", record.key_id, record)
        return key._replace(record=record)

    def roots(self) -> tuple[RootKey, ...]:
        """The public keys of every root: each gets a share of every key."""
        return self.context.session.roots
