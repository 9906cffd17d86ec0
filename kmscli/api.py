"""kms as a library: a vault that is open, its keys at work on bytes and binary files. See docs/library.md.

    with kmscli.open_vault(keyfile="app.key") as vault:
        sealed = vault.encrypt(b"correct horse", key_id="alias/app")

It does what the commands do, with the same errors (kmscli.errors) and the same lines in the audit log. It asks nobody:
the secret is given, or named by KMS_KEYFILE. What is offered here, and in `kmscli` itself, stays; all other modules are
the inside of kms and may change.
"""

import io
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

import msgspec

from kmscli import errors
from kmscli.service import dispatch, opening, sealing, streaming
from kmscli.service.caching import CachingMaterials
from kmscli.service.context import Context
from kmscli.service.files import Result
from kmscli.storage import files
from kmscli.storage.lent import Readable, Writable
from kmscli.storage.paths import default_vault
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret, Unlocking, from_files
from kmscli.vault.unlock import unlock

__all__ = ["CachingMaterials", "DataKey", "OpenVault", "Processed", "open_vault"]

Place = str | os.PathLike[str]
_KEYFILE = "KMS_KEYFILE"


class Processed(msgspec.Struct, frozen=True):
    """What became of a stream.

    Attributes:
        format: `blob` or `message`.
        key_ids: ARNs of the keys that open it, or of the one that did.
        size: Bytes of plaintext; None for a blob that was made.
    """

    format: Literal["blob", "message"]
    key_ids: tuple[str, ...]
    size: int | None


class DataKey:
    """A data key. It neither prints nor pickles.

    Attributes:
        plaintext: To encrypt with.
        ciphertext: The same, encrypted: to be kept, and given to `decrypt`.
        key_id: ARN of the key that encrypted it.
    """

    __slots__ = ("ciphertext", "key_id", "plaintext")

    def __init__(self, plaintext: bytes, ciphertext: bytes, key_id: str) -> None:
        self.plaintext = plaintext
        self.ciphertext = ciphertext
        self.key_id = key_id

    def __repr__(self) -> str:
        return f"<DataKey of {self.key_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a data key is not pickled")


class OpenVault:
    """A vault that somebody unlocked. Use it in one thread at a time, in the process that opened it."""

    def __init__(self, vault: Vault, context: Context) -> None:
        self._vault = vault
        self._opened: Context | None = context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the vault; it cannot be used any more."""
        self._opened = None
        self._vault.store.close()

    @property
    def _context(self) -> Context:
        if self._opened is None:
            raise errors.LockedError(problem="the vault was closed", hint="open it again")
        return self._opened

    @property
    def principal(self) -> str:
        """Who acts."""
        return self._context.session.principal

    def encrypt(
        self,
        plaintext: bytes,
        *,
        key_id: str | Sequence[str],
        encryption_context: Mapping[str, str] | None = None,
        format: Literal["auto", "blob", "message"] = "auto",  # noqa: A002 - the option's name
    ) -> bytes:
        """Encrypt bytes, as `kms encrypt` does a file.

        Args:
            plaintext: The bytes.
            key_id: Id, ARN or alias of the key; several, any of which opens it.
            encryption_context: Bound to the result; a message carries it, a blob needs it given again.
            format: `blob` (1 to 4096 bytes), `message`, or whichever is the smaller one that can be.

        Raises:
            KmsError: As of `kms encrypt`.
        """
        plan = sealing.Plan(keys=_keys(key_id), encryption_context=encryption_context or {}, format=format)
        sink = io.BytesIO()
        streaming.encrypt(self._context, io.BytesIO(plaintext), sink, plan)
        return sink.getvalue()

    def decrypt(
        self,
        ciphertext: bytes,
        *,
        encryption_context: Mapping[str, str] | None = None,
        required: Sequence[str] = (),
        key_id: str | None = None,
        materials: CachingMaterials | None = None,
    ) -> bytes:
        """Decrypt bytes: a blob, a message, or the text form of either.

        Args:
            ciphertext: The bytes.
            encryption_context: Pairs that must hold; for a blob, all that it was made with.
            required: Names that the context of a message must have.
            key_id: The key that must have made it; None = any that is allowed.
            materials: Keeps the data keys of messages, so that those which share one ask for it once.

        Raises:
            KmsError: As of `kms decrypt`.
        """
        sink = io.BytesIO()
        self.decrypt_stream(
            io.BytesIO(ciphertext),
            sink,
            encryption_context=encryption_context,
            required=required,
            key_id=key_id,
            materials=materials,
        )
        return sink.getvalue()

    def encrypt_stream(
        self,
        source: Readable,
        sink: Writable,
        *,
        key_ids: str | Sequence[str],
        encryption_context: Mapping[str, str] | None = None,
        signed: bool = False,
        armor: bool = False,
        materials: CachingMaterials | None = None,
        size: int | None = None,
    ) -> Processed:
        """Encrypt a stream of any size into a message, in constant memory.

        Args:
            source: A binary file; it is read to its end.
            sink: A binary file; after an error it holds a part of a message, which nobody takes for a whole.
            key_ids: The key, or several, any of which opens the message.
            encryption_context: Bound to the message, and in clear in it.
            signed: Whether the message is signed with a key pair made for it.
            armor: Whether text is written.
            materials: Lets messages share data keys, within its bounds.
            size: Bytes of plaintext, for `materials`; None = asked of a source that can be sought in. Where it is not
                known, and for a signed message, the data key is the message's own.

        Raises:
            KmsError: As of `kms encrypt`.
        """
        plan = sealing.Plan(
            keys=_keys(key_ids),
            encryption_context=encryption_context or {},
            format="message",
            signed=signed,
            armored=armor,
        )
        known = size if size is not None or materials is None else _size_of(source)
        if materials is None or known is None or signed:
            result = streaming.encrypt(self._context, source, sink, plan)
        else:
            result = streaming.encrypt_with(self._context, source, sink, plan, materials, size=known)
        return _processed(result)

    def decrypt_stream(
        self,
        source: Readable,
        sink: Writable,
        *,
        encryption_context: Mapping[str, str] | None = None,
        required: Sequence[str] = (),
        key_id: str | None = None,
        allow_legacy: bool = False,
        materials: CachingMaterials | None = None,
    ) -> Processed:
        """Decrypt a stream of any size; `sink` gets nothing that was not verified.

        Each frame is verified before its bytes are written, so if this raises, `sink` holds a true beginning of the
        plaintext: use what you got when it has returned. A signed message is verified as a whole first, and waits
        meanwhile in a private temporary file (TMPDIR).

        Args:
            source: A binary file; it is read to its end.
            sink: A binary file.
            encryption_context: As for `decrypt`.
            required: As for `decrypt`.
            key_id: As for `decrypt`.
            allow_legacy: Whether messages that do not commit to their key are read.
            materials: As for `decrypt`.

        Raises:
            KmsError: As of `kms decrypt`.
        """
        plan = opening.Plan(
            key=key_id, encryption_context=encryption_context or {}, names=tuple(required), legacy=allow_legacy
        )
        if materials is None:
            return _processed(streaming.decrypt(self._context, source, sink, plan))
        return _processed(streaming.decrypt_with(self._context, source, sink, plan, materials))

    def generate_data_key(
        self,
        key_id: str,
        *,
        encryption_context: Mapping[str, str] | None = None,
        number_of_bytes: int = 32,
    ) -> DataKey:
        """Make a data key; `decrypt` with the same context gives its plaintext again.

        Raises:
            KmsError: As of `kms generate-data-key`.
        """
        more = {"EncryptionContext": dict(encryption_context)} if encryption_context else {}
        answer = self.call("GenerateDataKey", KeyId=key_id, NumberOfBytes=number_of_bytes, **more)
        return DataKey(answer["Plaintext"], answer["CiphertextBlob"], answer["KeyId"])

    def call(self, operation: str, **members: object) -> dict[str, Any]:
        """Do any operation of the AWS API.

        Args:
            operation: Its name, such as `DescribeKey`.
            members: The members of its request.

        Returns:
            The members of its answer: bytes as bytes, times as datetime.

        Raises:
            KmsError: As of the operation.
        """
        answer = dispatch.perform(self._context, operation, members)
        found: dict[str, Any] = msgspec.to_builtins(answer, builtin_types=(bytes, datetime))
        return found


def open_vault(
    path: Place | None = None,
    principal: str | None = None,
    *,
    keyfile: Place | Sequence[Place] | None = None,
    passphrase: str | bytes | None = None,
    lock_timeout: float = 30.0,
    warn: Callable[[str], None] | None = None,
) -> OpenVault:
    """Open a vault and unlock it; use it as a context manager, or close it.

    Args:
        path: Its folder; None = KMS_VAULT, else where `kms init` makes one.
        principal: Who acts; None = KMS_PRINCIPAL, else the only one.
        keyfile: Unlocks; several are the shares of custodians. None and no passphrase = KMS_KEYFILE.
        passphrase: Unlocks, at the price of an expensive derivation.
        lock_timeout: Seconds to wait for other processes.
        warn: Takes sentences for people; None = the logger `kmscli`.

    Raises:
        UsageError: Both a keyfile and a passphrase.
        LockedError: Neither.
        KmsError: As of any command that unlocks.
    """
    folder = Path(path or os.environ.get("KMS_VAULT") or default_vault())
    vault = Vault(
        folder, clock=_now, rng=os.urandom, lock_timeout=lock_timeout, warn=warn or logging.getLogger("kmscli").warning
    )
    try:
        name = principal or os.environ.get("KMS_PRINCIPAL") or None
        return OpenVault(vault, Context(unlock(vault, name, lambda _: _secret(keyfile, passphrase))))
    except BaseException:
        vault.store.close()
        raise


def _now() -> datetime:
    return datetime.now(UTC)


def _secret(keyfile: Place | Sequence[Place] | None, passphrase: str | bytes | None) -> Unlocking:
    if keyfile is not None and passphrase is not None:
        raise errors.UsageError(problem="a keyfile and a passphrase exclude each other")
    if passphrase is not None:
        return Secret.passphrase(passphrase.encode() if isinstance(passphrase, str) else passphrase)
    named = keyfile if keyfile is not None else os.environ.get(_KEYFILE)
    if not named:
        raise errors.LockedError(
            problem="neither a keyfile nor a passphrase is given", hint=f"give one, or set {_KEYFILE}"
        )
    paths = [named] if isinstance(named, str | os.PathLike) else list(named)
    return from_files([(os.fspath(path), files.read_secret(Path(path))) for path in paths])


def _keys(given: str | Sequence[str]) -> tuple[str, ...]:
    keys = (given,) if isinstance(given, str) else tuple(given)
    if not keys:
        raise errors.ValidationError(problem="no key is named")
    return keys


def _size_of(source: Readable) -> int | None:
    """Bytes that are left in a source, if it can tell."""
    file: Any = source
    try:
        here = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(here)
    except (AttributeError, OSError):
        return None
    return int(end) - int(here)


def _processed(result: Result) -> Processed:
    return Processed(result.format or "message", tuple(result.key_ids or ()), result.size)
