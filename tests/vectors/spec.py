"""The formats of kms once more, written from docs/spec alone: nothing of kmscli is used here.

`generate.py` makes the test vectors with this module, so that a vector is what the specification says and not what the
code happens to do. Only the primitives come from libraries: AES-GCM, ML-KEM, X25519, Ed25519, Argon2id, SHA-2, SHA-3.
A function is named as the specification names what it computes. Values of a body are given as JSON values; bytes
become base64.
"""

import base64
import hmac
import json
from collections.abc import Iterable
from hashlib import sha3_256, sha256
from typing import Any, NamedTuple

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 16 * 1024
TAG = 16

# -- vault.md, "Notation" ----------------------------------------------------------------------------------------------


def p(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def label(purpose: str, *parts: bytes | str) -> bytes:
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"kms/v1/" + purpose.encode() + b"\x00" + p(*raw)


def digest(purpose: str, *parts: bytes | str) -> bytes:
    """H of the specification."""
    return sha256(label(purpose, *parts)).digest()


def expand(secret: bytes, info: bytes, length: int, hash_name: str = "sha512") -> bytes:
    """RFC 5869, section 2.3, from HMAC alone."""
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), hash_name)
        output, counter = output + block, counter + 1
    return output[:length]


def encode(value: Any) -> str:
    """The one encoding of a JSON value: no spaces, members as they come, bytes as base64."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=base64_text)


def base64_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


# -- seal: C2SP chunked-encryption with AES-256-GCM and SHA-512 --------------------------------------------------------


class _ChunkKeys(NamedTuple):
    key: bytes
    base_nonce: bytes
    commitment: bytes

    def nonce(self, number: int) -> bytes:
        return (int.from_bytes(self.base_nonce, "big") ^ number).to_bytes(12, "big")


def _chunk_keys(key: bytes, salt: bytes, context: bytes) -> _ChunkKeys:
    info = b"c2sp.org/chunked-encryption@v1+" + b"AEAD_AES_256_GCM" + b"\x00" + salt + context
    derived = expand(key, info, 32 + 12 + 32)
    return _ChunkKeys(derived[:32], derived[32:44], derived[44:])


def seal(key: bytes, context: bytes, plaintext: bytes, *, salt: bytes) -> bytes:
    """Salt, commitment, chunks; the last chunk is shorter than 16 KiB and may be empty."""
    keys = _chunk_keys(key, salt, context)
    chunks = [plaintext[start : start + CHUNK] for start in range(0, len(plaintext) + 1, CHUNK)]
    cipher = AESGCM(keys.key)
    sealed = [cipher.encrypt(keys.nonce(number), chunk, None) for number, chunk in enumerate(chunks)]
    return salt + keys.commitment + b"".join(sealed)


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """The plaintext; ValueError or InvalidTag if it is not what `seal` makes."""
    salt, commitment, body = sealed[:24], sealed[24:56], sealed[56:]
    keys = _chunk_keys(key, salt, context)
    if commitment != keys.commitment:
        raise ValueError("another key or context")
    chunks = [body[start : start + CHUNK + TAG] for start in range(0, len(body) + 1, CHUNK + TAG)]
    if len(chunks[-1]) == 0:
        raise ValueError("cut between chunks")
    cipher = AESGCM(keys.key)
    return b"".join(cipher.decrypt(keys.nonce(number), chunk, None) for number, chunk in enumerate(chunks))


# -- seal_to: RFC 9180, base mode, MLKEM768-X25519, HKDF-SHA256, AES-256-GCM -------------------------------------------

_SUITE = b"HPKE" + u16(0x647A) + u16(0x0001) + u16(0x0002)
_COMBINER = b"\\.//^\\"


class SealingPair(NamedTuple):
    """ML-KEM-768 and X25519, private."""

    mlkem: MLKEM768PrivateKey
    x25519: X25519PrivateKey

    @property
    def public(self) -> bytes:
        return self.mlkem.public_key().public_bytes_raw() + self.x25519.public_key().public_bytes_raw()


def sealing_pair(secret: bytes, prefix: bytes) -> SealingPair:
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expand(secret, prefix + b"/ml-kem-768", 64))
    return SealingPair(mlkem, X25519PrivateKey.from_private_bytes(expand(secret, prefix + b"/x25519", 32)))


def seal_to(public: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Encapsulation, ciphertext, tag; another one each time."""
    secret, encapsulated = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral = X25519PrivateKey.generate()
    point = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
    key, nonce = _key_schedule(_combine(secret, shared, point, public[1184:]), context)
    return encapsulated + point + AESGCM(key).encrypt(nonce, plaintext, b"")


def open_sealed(pair: SealingPair, context: bytes, sealed: bytes) -> bytes:
    """The plaintext; InvalidTag if it is not for this pair and context."""
    encapsulated, point, ciphertext = sealed[:1088], sealed[1088:1120], sealed[1120:]
    secret = pair.mlkem.decapsulate(encapsulated)
    shared = pair.x25519.exchange(X25519PublicKey.from_public_bytes(point))
    key, nonce = _key_schedule(_combine(secret, shared, point, pair.public[1184:]), context)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def _combine(mlkem: bytes, x25519: bytes, point: bytes, public: bytes) -> bytes:
    return sha3_256(mlkem + x25519 + point + public + _COMBINER).digest()


def _key_schedule(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")

    def labelled(name: bytes, length: int) -> bytes:
        return expand(secret, u16(length) + b"HPKE-v1" + _SUITE + name + context, length, "sha256")

    return labelled(b"key", 32), labelled(b"base_nonce", 12)


def _extract(salt: bytes, name: bytes, material: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + _SUITE + name + material, "sha256")


# -- vault.md, "Identities", "Keyfile", "Slots" ------------------------------------------------------------------------

IDENTITY = b"kms/v1/identity"


class Principal:
    """A principal's key pairs."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.sealing = sealing_pair(seed, IDENTITY)
        self._signing = Ed25519PrivateKey.from_private_bytes(expand(seed, IDENTITY + b"/ed25519", 32))
        self.sign_public = self._signing.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._signing.sign(message)


def keyfile(secret: bytes) -> str:
    return "kms-keyfile-1 " + base64_text(secret + digest("keyfile", secret)[:4])


def slot_secret(passphrase: str, salt: bytes, kdf: dict[str, int]) -> bytes:
    return hash_secret_raw(
        passphrase.encode(), salt, kdf["passes"], kdf["memory_kib"], kdf["lanes"], 32, Type.ID, version=0x13
    )


def anchor_key(secret: bytes, salt: bytes) -> bytes:
    return expand(secret, label("slot-anchor-key", salt), 32)


def slot_pair(secret: bytes, salt: bytes) -> SealingPair:
    return sealing_pair(secret, label("slot-seal", salt))


def proof(slot: dict[str, Any], vault_id: str, who: Principal) -> bytes:
    return who.sign(label("slot-proof", slot["slot_id"], slot["principal"], vault_id, slot["public"]))


def custodian_share(slot_id: str, name: str, share: bytes) -> str:
    check = digest("custodian-share", slot_id, name, share)[:4]
    return f"kms-share-1 {slot_id} {name} {base64_text(share + check)}"


def custodian_check(slot_id: str, name: str, share: bytes) -> bytes:
    return digest("custodian-check", slot_id, name, share)[:8]


def ways(count: int, threshold: int) -> list[tuple[int, ...]]:
    """The positions of each combination, in lexicographic order."""
    masks = (mask for mask in range(1 << count) if mask.bit_count() == threshold)
    return sorted(tuple(place for place in range(count) if mask >> place & 1) for mask in masks)


def combination(slot_id: str, principal: str, shares: list[tuple[str, bytes]], secret: bytes, *, salt: bytes) -> bytes:
    names = [name for name, _ in shares]
    joined = b"".join(share for _, share in shares)
    key = expand(joined, label("slot-combination-key", slot_id, principal, *names), 32)
    return seal(key, label("slot-combination", slot_id, principal, *names), secret, salt=salt)


def with_check(slot: dict[str, Any]) -> dict[str, Any]:
    """The slot with its `check` set."""
    empty = slot | {"check": b""}
    return empty | {"check": digest("slot-check", encode(empty))[:8]}


# -- vault.md, "Roots", "Records", "Tree", "Head", "Key material" ------------------------------------------------------

_MEMBERS = {
    "vault": "vault_id account region created kdf_memory_mib",
    "roots": "vault_id number roots signer? signature?",
    "vault-secret": "principal sealed",
    "principal": "name kind root state created sign seal tags? access_keys?",
    "access-key": "access_key_id principal status created kek sealed",
    "access-key-share": "principal kek sealed",
    "identity-policy": "principal name document",
    "roster": "principals",
    "sharing": "principal bucket group renews? old?",
    "alias": "name key_id created updated",
    "key": "key_id created key_spec key_usage origin manager state current kek description? aliases? tags?"
    " deletion_date? deletion_window? rotation_period? next_rotation? grant_end?",
    "version": "key_id number created material_id sealed? public? rotation? rotated? description? valid_to?",
    "share": "key_id principal kek sealed",
    "policy": "key_id document",
    "grant": "key_id grant_id created grantee operations retiring? name? context_equals? context_subset? expires?",
}
"""Kind of a record -> the members of its body in order; `?` marks those that have a default."""
_EMPTY_STRINGS = {"signer", "description", "retiring", "name"}
_EMPTY_BYTES = {"signature", "sealed", "public", "old"}
_EMPTY_LISTS = {"aliases", "tags", "access_keys"}


def default(member: str) -> Any:
    """What a member that is marked is when it is left out."""
    if member in _EMPTY_STRINGS:
        return ""
    if member in _EMPTY_BYTES:
        return b""
    return [] if member in _EMPTY_LISTS else None


def record(kind: str, members: dict[str, Any]) -> dict[str, Any]:
    """The members of a body in their order, without those that have their default, maps sorted."""
    body = {}
    for name in _MEMBERS[kind].split():
        member = name.removesuffix("?")
        value = members[member] if member == name else members.get(member, default(member))
        if member == name or value != default(member):
            body[member] = by_utf8(value) if isinstance(value, dict) else value
    if unknown := members.keys() - {name.removesuffix("?") for name in _MEMBERS[kind].split()}:
        raise ValueError(unknown)
    return body


def by_utf8(mapping: dict[str, Any]) -> dict[str, Any]:
    """The same map with its names in the order of their bytes."""
    return dict(sorted(mapping.items(), key=lambda pair: pair[0].encode()))


def root_set(vault_id: str, number: int, roots: dict[str, Principal]) -> dict[str, Any]:
    """A root set without signer and signature."""
    listed = [{"principal": name, "sign": who.sign_public, "seal": who.sealing.public} for name, who in roots.items()]
    return record("roots", {"vault_id": vault_id, "number": number, "roots": listed})


def signed_root_set(unsigned: dict[str, Any], signer: str, who: Principal) -> dict[str, Any]:
    named = record("roots", unsigned | {"signer": signer})
    return record("roots", named | {"signature": who.sign(label("roots", encode(named)))})


def group_of(kind: str, record_id: str) -> str:
    """The group of a record."""
    if kind == "alias":
        return record_id
    if kind == "access-key":
        return f"access-key/{record_id}"
    if kind == "access-key-share":
        return "access-keys"
    if kind in ("principal", "identity-policy"):
        return f"principal/{record_id.partition('/')[0]}"
    key_id, _, _ = record_id.partition("/")
    if kind in ("key", "version", "share", "policy"):
        return f"key/{key_id}"
    return f"grants/{key_id}" if kind == "grant" else "vault"


def record_digest(kind: str, record_id: str, body: str) -> bytes:
    return digest("record", kind, record_id, body)


def group_digest(name: str, records: Iterable[tuple[str, str, bytes]]) -> bytes:
    ordered = sorted(records, key=lambda found: (found[0], found[1]))
    return digest("group", name, *(part for found in ordered for part in found))


def bucket_of(name: str) -> int:
    return int.from_bytes(digest("group-name", name), "big") >> (256 - 12)


def bucket_digest(number: int, groups: dict[str, bytes]) -> bytes:
    if not groups:
        return bytes(32)
    return digest("bucket", u16(number), *(part for name in sorted(groups) for part in (name, groups[name])))


def node_digest(number: int, children: list[bytes]) -> bytes:
    if not any(any(child) for child in children):
        return bytes(32)
    return digest("node", bytes([number]), b"".join(children))


def trunk_digest(groups: dict[str, list[tuple[str, str, bytes]]]) -> bytes:
    """The digest of the whole tree over groups of (kind, id, digest)."""
    buckets: list[dict[str, bytes]] = [{} for _ in range(4096)]
    for name, records in groups.items():
        buckets[bucket_of(name)][name] = group_digest(name, records)
    digests = [bucket_digest(number, found) for number, found in enumerate(buckets)]
    branches = [node_digest(number, digests[64 * number : 64 * number + 64]) for number in range(64)]
    return node_digest(64, branches)


def material_id(vault_secret: bytes, key_id: str, material: bytes) -> str:
    return hmac.digest(vault_secret, label("material-id", key_id, material), "sha256").hex()


def share_context(vault_id: str, key_id: str, principal: str, kek: int) -> bytes:
    return label("share", vault_id, key_id, principal, u32(kek))


def material_context(vault_id: str, key_id: str, version: int, kek: int) -> bytes:
    return label("material", vault_id, key_id, u32(version), u32(kek))


# -- vault.md, "Access keys" -------------------------------------------------------------------------------------------


def access_key_id(random: bytes) -> str:
    return "AKIA" + base64.b32encode(random).decode()


def access_key_secret(random: bytes) -> str:
    return base64_text(random)


def access_key_share_context(vault_id: str, principal: str, kek: int) -> bytes:
    return label("access-key-share", vault_id, principal, u32(kek))


def access_key_context(vault_id: str, key_id: str, principal: str, kek: int) -> bytes:
    return label("access-key", vault_id, key_id, principal, u32(kek))


# -- vault.md, "Import tokens" -----------------------------------------------------------------------------------------

TOKEN_HEAD = b"KMSI\x01"


def token_key(vault_secret: bytes) -> bytes:
    return expand(vault_secret, b"kms/v1/import-token-key", 32)


def token_context(vault_id: str, key_id: str, *, head: bytes = TOKEN_HEAD) -> bytes:
    return label("import-token", head, vault_id, key_id)


def import_token(key: bytes, context: bytes, body: str, *, salt: bytes, head: bytes = TOKEN_HEAD) -> bytes:
    return head + seal(key, context, body.encode(), salt=salt)


# -- vault.md, "Joining" -----------------------------------------------------------------------------------------------


def key_fingerprint(who: Principal) -> str:
    return digest("identity", who.sign_public, who.sealing.public).hex()


def join_request(members: dict[str, Any], who: Principal) -> str:
    """The file of a request to join, whose members but `signature` are given."""
    return encode(members | {"signature": who.sign(label("join", encode(members)))}) + "\n"


def renewal_request(members: dict[str, Any], old: Principal, new: Principal) -> str:
    """The file of a request for a new identity, whose members but `approval` and `signature` are given."""
    approved = members | {"approval": old.sign(label("renew-approval", encode(members)))}
    return encode(approved | {"signature": new.sign(label("renew", encode(approved)))}) + "\n"


# -- blob.md, audit.md -------------------------------------------------------------------------------------------------


def canonical_context(pairs: dict[str, str]) -> bytes:
    encoded = sorted((name.encode(), value.encode()) for name, value in pairs.items())
    return u32(len(encoded)) + b"".join(p(name, value) for name, value in encoded)


def blob_header(key_id: str, version: int, *, fmt: int = 1, kind: int | None = None) -> bytes:
    multi_region = key_id.startswith("mrk-")
    raw = bytes.fromhex(key_id.removeprefix("mrk-").replace("-", ""))
    return b"KMSB" + bytes([fmt, multi_region if kind is None else kind]) + raw + u32(version)


def blob_context(header: bytes, canonical: bytes) -> bytes:
    return label("blob", header, canonical)


def audit_signed(vault_id: str, before: str) -> bytes:
    """What the signature of a line covers; `before` is all of it before `,"signature":`."""
    return label("audit", bytes.fromhex(vault_id), before)


def audit_line(event: dict[str, Any], *, vault_id: str, signer: str, who: Principal) -> str:
    before = encode(event)[:-1]
    value = who.sign(audit_signed(vault_id, before))
    return before + ',"signature":' + encode({"signer": signer, "value": value}) + "}"
