"""A small vault with everything in it that a tamperer could want to change, and a fixed list of questions to ask it.

A question is answered with what the vault says or with the error it ends in. A damaged copy of the vault must give, for
each question, the answer of the whole vault or one of the errors that a test allows; any other exception passes through
and fails the test.
"""

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kmscli import errors
from kmscli.service import managed, operations, slots, validate, vaults
from kmscli.service.context import Call, Context
from kmscli.service.dispatch import perform
from kmscli.vault.folder import Vault
from kmscli.vault.records import Records
from kmscli.vault.secrets import Secret
from kmscli.vault.session import Session
from kmscli.vault.slots import Opened
from kmscli.vault.unlock import unlock

PASSPHRASE = b"correct horse battery staple"
CHEAPEST_MIB = 8
ACCOUNT_ROOT = "arn:aws:iam::000000000000:root"
DAMAGED = {"VaultTampered", "AuditTampered", "Rollback"}
"""What a vault may answer whose bytes were changed by somebody who cannot sign."""

Answers = dict[str, object]
Builder = Callable[[Path], "Sample"]


def now() -> datetime:
    return datetime.now(UTC)


class Sealed(NamedTuple):
    """A known ciphertext, and what opens it."""

    blob: bytes
    context: dict[str, str]
    plaintext: bytes


class Sample(NamedTuple):
    """The vault as it lies on disk; tests work on copies.

    Attributes:
        folder: The vault.
        earlier: The vault as it was before its newest changes.
        state: The user's state folder, with the pin.
        keyfile: What opens it.
        opened: What its slots hold.
        keys: Ids of its keys by a name of ours.
        ciphertexts: Known ciphertexts by a name of ours.
        answers: What the whole vault answers.
    """

    folder: Path
    earlier: Path
    state: Path
    keyfile: Path
    opened: Opened
    keys: dict[str, str]
    ciphertexts: dict[str, Sealed]
    answers: Answers
    principal: str = "admin"

    def secret(self) -> Secret:
        return Secret.keyfile(self.keyfile.read_bytes(), path="keyfile")


@contextmanager
def unlocked(folder: Path, secret: Secret, principal: str | None = None) -> Iterator[Context]:
    """The vault in `folder`, opened and unlocked."""
    with opened(folder) as vault:
        yield Context(unlock(vault, principal, lambda _: secret))


def opened(folder: Path) -> Vault:
    """The vault in `folder`."""
    return Vault(folder, clock=now, rng=os.urandom, lock_timeout=5, warn=lambda _: None)


def ask(context: Context, name: str, **members: object) -> dict[str, Any]:
    """The answer of one operation, as builtins."""
    return builtins(perform(context, name, members))


def build(base: Path) -> Sample:
    """Make the sample below `base`; XDG_STATE_HOME must be `base/state`."""
    folder, keyfile = base / "vault", base / "keyfile"
    init(folder, keyfile)
    secret = Secret.keyfile(keyfile.read_bytes(), path="keyfile")
    with unlocked(folder, secret) as context:
        keys, ciphertexts = _populate(context)
    shutil.copytree(folder, base / "earlier")
    with unlocked(folder, secret) as context:
        _change_again(context, keys, ciphertexts)
        opened = context.session.opened
    return _answered(Sample(folder, base / "earlier", base / "state", keyfile, opened, keys, ciphertexts, {}))


def build_tiny(base: Path) -> Sample:
    """A vault with no more than one key, one alias and one slot; as `build`."""
    folder, keyfile = base / "vault", base / "keyfile"
    init(folder, keyfile)
    with unlocked(folder, Secret.keyfile(keyfile.read_bytes(), path="keyfile")) as context:
        keys = {"app": str(ask(context, "CreateKey", Alias="alias/app")["KeyMetadata"]["KeyId"])}
        ciphertexts = {"first version": _seal(context, keys["app"], b"one", {})}
        opened = context.session.opened
    return _answered(Sample(folder, folder, base / "state", keyfile, opened, keys, ciphertexts, {}))


def copied(sample: Sample, base: Path) -> Path:
    """A copy of a sample below `base`."""
    return Path(shutil.copytree(sample.folder, base / "vault"))


def init(folder: Path, keyfile: Path) -> None:
    """A new vault whose passphrases cost as little as they may."""
    request = vaults.InitRequest(folder, None, keyfile, kdf_memory_mib=CHEAPEST_MIB)
    vaults.init_vault(request, clock=now, rng=os.urandom)


def _answered(sample: Sample) -> Sample:
    return sample._replace(answers=answers(sample, sample.folder))


def _populate(context: Context) -> tuple[dict[str, str], dict[str, Sealed]]:
    def create(**members: object) -> str:
        return str(ask(context, "CreateKey", **members)["KeyMetadata"]["KeyId"])

    keys = {
        "app": create(Alias="alias/app", Description="the first", Tags=[{"TagKey": "team", "TagValue": "a"}]),
        "spare": create(Alias="alias/spare"),
        "off": create(),
        "pair": create(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY"),
        "brought": create(Origin="EXTERNAL"),
    }
    ask(context, "PutKeyPolicy", KeyId=keys["app"], Policy=policy("the first"))
    for name in ("kept", "revoked"):
        ask(context, "CreateGrant", KeyId=keys["app"], **grant(name))
    _bring(context, keys["brought"])
    ask(context, "CreateAlias", AliasName="alias/gone", TargetKeyId=keys["app"])
    ciphertexts = {"first version": _seal(context, keys["app"], b"one", {})}
    ask(context, "RotateKeyOnDemand", KeyId=keys["app"])
    ciphertexts["second version"] = _seal(context, keys["app"], b"two", {"purpose": "test"})
    ciphertexts["brought"] = _seal(context, keys["brought"], b"brought", {})
    return keys, ciphertexts


def policy(description: str) -> str:
    """A key policy that lets the account do everything."""
    everything = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT_ROOT}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Id": description, "Statement": [everything]}, indent=1)


def grant(name: str) -> dict[str, object]:
    """Members of a request for a grant to bob."""
    return {
        "Name": name,
        "GranteePrincipal": "arn:aws:iam::000000000000:user/bob",
        "RetiringPrincipal": ACCOUNT_ROOT,
        "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"purpose": name}},
    }


def _bring(context: Context, key_id: str) -> None:
    """Import material into a key."""
    algorithm = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    found = ask(context, "GetParametersForImport", KeyId=key_id, **algorithm)
    public = load_der_public_key(found["PublicKey"])
    assert isinstance(public, RSAPublicKey)
    ask(
        context,
        "ImportKeyMaterial",
        KeyId=key_id,
        ImportToken=found["ImportToken"],
        EncryptedKeyMaterial=public.encrypt(os.urandom(32), OAEP(MGF1(SHA256()), SHA256(), None)),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )


def _change_again(context: Context, keys: dict[str, str], ciphertexts: dict[str, Sealed]) -> None:
    slots.add_slot(context, Secret.passphrase(PASSPHRASE), "spoken")
    ciphertexts["off"] = _seal(context, keys["off"], b"off", {})
    ask(context, "DisableKey", KeyId=keys["off"])
    ask(context, "RotateKeyOnDemand", KeyId=keys["app"])
    ciphertexts["third version"] = _seal(context, keys["app"], b"three", {})
    ask(context, "DeleteAlias", AliasName="alias/gone")
    ask(context, "UpdateAlias", AliasName="alias/spare", TargetKeyId=keys["app"])
    managed.managed_key(context, managed.FILES)
    ciphertexts["managed"] = _seal(context, managed.FILES, b"file", {"path": "a"})
    ask(context, "UpdateKeyDescription", KeyId=keys["spare"], Description="changed")
    ask(context, "PutKeyPolicy", KeyId=keys["app"], Policy=policy("the second"))
    listed = ask(context, "ListGrants", KeyId=keys["app"])["Grants"]
    revoked = next(found["GrantId"] for found in listed if found["Name"] == "revoked")
    ask(context, "RevokeGrant", KeyId=keys["app"], GrantId=revoked)
    ask(context, "DeleteImportedKeyMaterial", KeyId=keys["brought"])


def _seal(context: Context, key: str, plaintext: bytes, encryption_context: dict[str, str]) -> Sealed:
    answer = ask(context, "Encrypt", KeyId=key, Plaintext=plaintext, EncryptionContext=encryption_context)
    return Sealed(answer["CiphertextBlob"], encryption_context, plaintext)


def answers(sample: Sample, folder: Path, secret: Secret | None = None) -> Answers:
    """Ask the vault in `folder` everything, as a user would: unlock, ask, and let each answer be written down."""
    try:
        with opened(folder) as vault:
            found = _without_secret(vault)
            try:
                context = Context(unlock(vault, None, lambda _: secret or sample.secret()))
            except errors.KmsError as error:
                return found | _none(sample, error)
            return found | _all(_questions(sample, lambda name, **members: ask(context, name, **members)))
    except errors.KmsError as error:
        return dict.fromkeys(sample.answers, error)


def change_and_ask_again(sample: Sample, folder: Path) -> Answers:
    """Change a record, then put every question to which the change is no answer."""
    try:
        with unlocked(folder, sample.secret()) as context:
            ask(context, "UpdateKeyDescription", KeyId=sample.keys["spare"], Description="once more")
    except errors.KmsError as error:
        return {"keys": error}
    found = answers(sample, folder)
    return {name: value for name, value in found.items() if name not in {"describe spare", "status"}}


def quick_answers(sample: Sample, folder: Path) -> Answers:
    """The same questions put to one state of the vault by an identity unlocked before, with no audit line."""
    try:
        with opened(folder) as vault:
            found = _without_secret(vault)
            context = Context(Session(vault, sample.principal, sample.opened))
            try:
                with context.session.read() as records:
                    return found | _all(
                        _questions(sample, lambda name, **members: _handle(context, records, name, members))
                    )
            except errors.KmsError as error:
                return found | _none(sample, error)
    except errors.KmsError as error:
        return dict.fromkeys(sample.answers, error)


def _none(sample: Sample, error: errors.KmsError) -> Answers:
    return {name: error for name, _ in _questions(sample, ask)}


def _handle(context: Context, records: Records, name: str, members: dict[str, object]) -> dict[str, Any]:
    operation = operations.load(name)
    answer = operation.handler(Call(context, name, records, now()), validate.decode(operation.request, members))
    return builtins(answer)


def builtins(answer: object) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(answer, builtin_types=(bytes,))
    return found


def _without_secret(vault: Vault) -> Answers:
    return _all([("slots", lambda: _slots(vault)), ("status", lambda: _status(vault))])


def _all(questions: Iterable[tuple[str, Callable[[], object]]]) -> Answers:
    found: Answers = {}
    for name, question in questions:
        try:
            found[name] = question()
        except errors.KmsError as error:
            found[name] = error
    return found


def _slots(vault: Vault) -> object:
    found = builtins(slots.list_slots(vault))
    return found | {"Slots": sorted(found["Slots"], key=itemgetter("SlotId"))}


def _status(vault: Vault) -> object:
    """What status says, less where the vault lies and what asking changes."""
    found = builtins(vaults.status(vault))
    return {name: value for name, value in found.items() if name not in {"Vault", "AuditLines", "SeenBefore"}}


def _questions(sample: Sample, put: Callable[..., dict[str, Any]]) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "keys", lambda: put("ListKeys")
    yield "aliases", lambda: put("ListAliases")
    for name, key_id in sample.keys.items():
        yield f"describe {name}", partial(put, "DescribeKey", KeyId=key_id)
    yield "describe alias", lambda: put("DescribeKey", KeyId="alias/app")
    yield "absent alias", lambda: put("DescribeKey", KeyId="alias/gone")
    yield "rotations", lambda: put("ListKeyRotations", KeyId=sample.keys["app"])
    if "pair" in sample.keys:
        yield "policy", lambda: put("GetKeyPolicy", KeyId=sample.keys["app"])
        yield "grants", lambda: put("ListGrants", KeyId=sample.keys["app"])
        yield "no grants", lambda: put("ListGrants", KeyId=sample.keys["spare"])
        yield "retirable grants", lambda: put("ListRetirableGrants", RetiringPrincipal=ACCOUNT_ROOT)
        yield "public key", lambda: put("GetPublicKey", KeyId=sample.keys["pair"])
    for name, (blob, encryption_context, _) in sample.ciphertexts.items():
        yield f"decrypt {name}", partial(put, "Decrypt", CiphertextBlob=blob, EncryptionContext=encryption_context)
    yield "encrypt", lambda: _round_trip(put)


def _round_trip(put: Callable[..., dict[str, Any]]) -> object:
    blob = put("Encrypt", KeyId="alias/app", Plaintext=b"fresh")["CiphertextBlob"]
    return put("Decrypt", CiphertextBlob=blob)


def violations(sample: Sample, found: Answers, allowed: Collection[str] = DAMAGED) -> list[str]:
    """Answers that are neither those of the whole vault nor an allowed error."""
    return [
        f"{name}: {_shown(value)} instead of {_shown(sample.answers[name])}"
        for name, value in found.items()
        if not is_refusal(value, allowed) and _shown(_healed(value, sample)) != _shown(sample.answers[name])
    ]


def _healed(value: object, sample: Sample) -> object:
    """An answer about slots as it would be if none were missing; the slots that it shows must be genuine.

    Each slot proves itself, and nothing proves how many there are: deletion is found by nobody (docs/threat-model.md).
    """
    match value:
        case {"Slots": list(shown), "DamagedSlots": _} if all(slot in _whole(sample, "slots") for slot in shown):
            return sample.answers["slots"]
        case {"Slots": int(shown), "DamagedSlots": _} if shown <= _whole(sample, "status"):
            return value | {"Slots": _whole(sample, "status"), "DamagedSlots": 0}
    return value


def _whole(sample: Sample, question: str) -> Any:
    return sample.answers[question]["Slots"]  # type: ignore[index]


def is_refusal(value: object, allowed: Collection[str] = DAMAGED) -> bool:
    """Whether an answer is one of the allowed errors."""
    return isinstance(value, errors.KmsError) and value.code in allowed


def _shown(value: object) -> str:
    return f"{value.code}: {value}" if isinstance(value, errors.KmsError) else repr(value)
