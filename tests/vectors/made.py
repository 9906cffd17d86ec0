"""The vectors that must be accepted: what each of them is made of."""

import uuid
from collections.abc import Iterable
from functools import cache
from hashlib import sha256, shake_256
from typing import Any

from tests.vectors import pairs, spec
from tests.vectors.pairs import Encoded
from tests.vectors.sealed import Sealer

Entry = dict[str, Any]


def fixed(name: str, length: int = 32) -> bytes:
    """Bytes that look random and are the same in every run."""
    return shake_256(b"kms test vectors: " + name.encode()).digest(length)


VAULT_ID = fixed("vault id", 16).hex()
KEY_ID = str(uuid.UUID(bytes=fixed("key id", 16), version=4))
MULTI_REGION_ID = "mrk-" + fixed("multi-Region key id", 16).hex()
ADMIN = spec.Principal(fixed("admin"))
BOB = spec.Principal(fixed("bob"))
VAULT_SECRET = fixed("vault secret")
KEK = fixed("kek")
MATERIAL = fixed("material")
WHEN = "2026-03-01T12:00:00.123456Z"
WHOLE_SECOND = "2026-03-01T12:00:00Z"
NEXT_DAY = "2026-03-02T12:00:00.123456Z"
PASSPHRASE = "correct h\u00f6rse \u2713 staple "
KEYFILE_SECRET = fixed("keyfile")
GRANT_ID = fixed("grant id").hex()
ACCESS_KEY_ID = spec.access_key_id(fixed("access key id", 10))
ACCESS_KEY_SECRET = spec.access_key_secret(fixed("secret of an access key", 30))
GRANTEE = "arn:aws:iam::123456789012:user/bob"
KDF = {"memory_kib": 8 * 1024, "passes": 1, "lanes": 1}
ALL_CHARACTERS = '"\\/\b\f\n\r\t\x00\x1f\x7f\u0080\u00e9e\u0301\u2028\uffff\U0001f511'


def file(about: str, section: str, vectors: list[Entry], **members: str) -> dict[str, Any]:
    """The content of one file."""
    return {"about": about, "spec": f"docs/spec/{section}", **members, "vectors": vectors}


def files(sealer: Sealer) -> dict[str, dict[str, Any]]:
    """Name of each file, without its ending -> content."""
    tree = 'vault.md, "Tree"'
    return {
        "label": file("A label, and the digest H over it.", 'vault.md, "Notation"', labels()),
        "expand": file("HKDF-Expand with SHA-512.", 'vault.md, "Notation"', expands()),
        "seal": file("What is sealed under a key and a context.", 'vault.md, "Notation" (seal)', seals()),
        "identity": file("The keys of a principal, from its seed.", 'vault.md, "Identities"', identities()),
        "keyfile": file("A file, the secret in it, and the line of that secret.", 'vault.md, "Keyfile"', keyfiles()),
        "slot-keys": file("The keys of a slot, from its secret.", 'vault.md, "Slots"', slot_keys()),
        "slot": file("A slot, what opens it, and what it opens.", 'vault.md, "Slots"', slots(sealer)),
        "slot-closed": file("A slot, and a secret of another.", 'vault.md, "Slots"', closed_slots(sealer)),
        "roots": file("A chain of root sets.", 'vault.md, "Roots"', root_chains()),
        "record": file("A record, its group and its digest.", 'vault.md, "Records"', records(sealer)),
        "reading": file("A group, read under its trunk.", 'vault.md, "Reading"', readings(sealer)),
        "bucket-of": file("The bucket of a group.", tree, buckets_of()),
        "group": file("The digest of a group.", tree, groups()),
        "bucket": file("The digest of a bucket.", tree, buckets()),
        "node": file("The digest of a node.", tree, nodes()),
        "tree": file("The trunk's digest after each of some changes.", tree, trees()),
        "head": file("A head and its signature.", 'vault.md, "Head"', heads()),
        "share": file("The share of a holder.", 'vault.md, "Key material"', shares(sealer)),
        "vault-secret": file("The vault secret of a root.", 'vault.md, "Key material"', vault_secrets(sealer)),
        "material": file("The sealed material of a version.", 'vault.md, "Key material"', materials()),
        "pair": file("A key pair: its one encoding, and others.", 'vault.md, "Key material"', key_pairs()),
        "material-id": file("The KeyMaterialId of a version.", 'vault.md, "Key material"', material_ids()),
        "access-key-share": file("The share of a root.", 'vault.md, "Access keys"', access_key_shares(sealer)),
        "access-key": file("An access key and its secret.", 'vault.md, "Access keys"', access_keys()),
        "import-token": file("An import token and what is in it.", 'vault.md, "Import tokens"', import_tokens()),
        "context": file("An encryption context and its canonical form.", 'blob.md, "Canonical..."', contexts()),
        "blob": file("A blob and what is in it.", 'blob.md, "Blob"', blobs()),
        "join": file("A request to join.", 'vault.md, "Joining"', joins(sealer)),
        "renewal": file("A request for a new identity.", 'vault.md, "Joining"', renewals(sealer)),
        "auditlog": file("A log, line by line, and its root fingerprint.", 'audit.md, "Who signs"', logs()),
        "auditline": file("A line of the log, and what its signature covers.", 'audit.md, "Line"', lines()),
    }


# -- notation ----------------------------------------------------------------------------------------------------------


def labels() -> list[Entry]:
    cases: dict[str, tuple[str, list[bytes]]] = {
        "no part": ("head", []),
        "an empty part": ("head", [b""]),
        "two parts": ("record", [b"ab", b"c"]),
        "two parts, cut elsewhere": ("record", [b"a", b"bc"]),
        "a part of 300 bytes": ("roots", [bytes(300)]),
    }
    return [
        {
            "name": name,
            "purpose": purpose,
            "parts": parts,
            "label": spec.label(purpose, *parts),
            "digest": spec.digest(purpose, *parts),
        }
        for name, (purpose, parts) in cases.items()
    ]


def expands() -> list[Entry]:
    secret = fixed("expand")
    return [
        {
            "name": f"{length} bytes, {len(info)} bytes of info",
            "secret": secret,
            "info": info,
            "length": length,
            "output": spec.expand(secret, info, length),
        }
        for info, length in ((b"", 32), (b"kms/v1/identity/x25519", 32), (b"info", 64), (b"info", 65), (b"info", 200))
    ]


def seals() -> list[Entry]:
    key = fixed("seal")
    cases = {
        "nothing, without context": (b"", b""),
        "nothing, in a context": (b"context", b""),
        "one byte": (b"context", b"x"),
        "32 bytes": (spec.label("material", b"part"), fixed("sealed")),
        "1000 bytes": (bytes(64), fixed("sealed", 1000)),
    }
    return [
        {
            "name": name,
            "key": key,
            "context": context,
            "plaintext": plaintext,
            "sealed": spec.seal(key, context, plaintext, salt=fixed(f"salt of {name}", 24)),
        }
        for name, (context, plaintext) in cases.items()
    ]


# -- identities, keyfiles, slots ---------------------------------------------------------------------------------------


def identities() -> list[Entry]:
    entries = []
    for name, seed in {"zeros": bytes(32), "counting": bytes(range(32)), "admin": ADMIN.seed}.items():
        who = spec.Principal(seed)
        entries.append(
            {
                "name": name,
                "seed": seed,
                "ml_kem_768_seed": spec.expand(seed, b"kms/v1/identity/ml-kem-768", 64),
                "x25519_private": spec.expand(seed, b"kms/v1/identity/x25519", 32),
                "ed25519_private": spec.expand(seed, b"kms/v1/identity/ed25519", 32),
                "seal": who.sealing.public,
                "sign": who.sign_public,
            }
        )
    return entries


def keyfiles() -> list[Entry]:
    line = spec.keyfile(KEYFILE_SECRET)
    spellings = {
        "as written": f"{line}\n",
        "without newline": line,
        "with carriage return": f"{line}\r\n",
        "white space around": f" \t\n{line} \n\n",
    }
    entries = [{"name": name, "file": text, "secret": KEYFILE_SECRET, "line": line} for name, text in spellings.items()]
    zeros = spec.keyfile(bytes(32))
    return [*entries, {"name": "zeros", "file": zeros, "secret": bytes(32), "line": zeros}]


def slot_keys() -> list[Entry]:
    kdfs = {
        "passphrase, one pass": (PASSPHRASE, KDF),
        "passphrase, two passes and four lanes": (PASSPHRASE, KDF | {"passes": 2, "lanes": 4}),
        "empty passphrase": ("", KDF),
    }
    salt = fixed("slot salt", 16)
    entries = [
        _slot_keys(name, passphrase, salt, spec.slot_secret(passphrase, salt, kdf), kdf)
        for name, (passphrase, kdf) in kdfs.items()
    ]
    return [*entries, _slot_keys("keyfile", None, salt, KEYFILE_SECRET, None)]


def _slot_keys(name: str, passphrase: str | None, salt: bytes, secret: bytes, kdf: dict[str, int] | None) -> Entry:
    return {
        "name": name,
        "passphrase": passphrase,
        "kdf": kdf,
        "salt": salt,
        "secret": secret,
        "anchor_key": spec.anchor_key(secret, salt),
        "public": spec.slot_pair(secret, salt).public,
    }


def slot(sealer: Sealer, name: str, kind: str = "passphrase", *, sealed_for: str | None = None) -> Entry:
    """The members of a slot of `admin`, its `check` set.

    Args:
        sealer: Seals the seed.
        name: The slot's label, from which all in it follows.
        kind: "passphrase" or "keyfile".
        sealed_for: The vault whose id the seed is bound to, if it is another than the anchor's.
    """
    slot_id, salt = fixed(f"slot id of {name}", 4).hex(), fixed(f"salt of {name}", 16)
    kdf = KDF if kind == "passphrase" else None
    secret = spec.slot_secret(PASSPHRASE, salt, kdf) if kdf else KEYFILE_SECRET
    anchor = bytes.fromhex(VAULT_ID) + fingerprint()
    seed_context = spec.label("slot-seed", slot_id, "admin", sealed_for or VAULT_ID)
    return spec.with_check(
        {
            "slot_id": slot_id,
            "principal": "admin",
            "label": name,
            "kind": kind,
            "created": WHEN,
            "kdf": kdf,
            "salt": salt,
            "public": spec.slot_pair(secret, salt).public,
            "anchor": spec.seal(
                spec.anchor_key(secret, salt),
                spec.label("slot-anchor", slot_id, "admin"),
                anchor,
                salt=fixed(f"anchor of {name}", 24),
            ),
            "seed": sealer.seal_to(
                f"seed of slot {name}", seed_context, ADMIN.seed, secret=secret, prefix=spec.label("slot-seal", salt)
            ),
        }
    )


def slots(sealer: Sealer) -> list[Entry]:
    opened = {"vault_id": VAULT_ID, "fingerprint": fingerprint(), "seed": ADMIN.seed}
    by_passphrase = {"passphrase": PASSPHRASE, "keyfile": None}
    by_keyfile = {"passphrase": None, "keyfile": spec.keyfile(KEYFILE_SECRET)}
    return [
        {"name": "passphrase", "body": spec.encode(slot(sealer, "typed \u2713")), **by_passphrase, **opened},
        {"name": "keyfile", "body": spec.encode(slot(sealer, "ci", "keyfile")), **by_keyfile, **opened},
    ]


def closed_slots(sealer: Sealer) -> list[Entry]:
    typed, ci = slot(sealer, "typed again"), slot(sealer, "ci again", "keyfile")
    keyfile = spec.keyfile(KEYFILE_SECRET)
    anchor = bytearray(typed["anchor"])
    anchor[-1] ^= 1
    cases: dict[str, tuple[Entry, str | None, str | None]] = {
        "another passphrase": (typed, PASSPHRASE.upper(), None),
        "a passphrase without its last space": (typed, PASSPHRASE.strip(), None),
        "another keyfile": (ci, None, spec.keyfile(bytes(32))),
        "a keyfile for the slot of a passphrase": (typed, None, keyfile),
        "a passphrase for the slot of a keyfile": (ci, PASSPHRASE, None),
        "a changed anchor, its check made again": (typed | {"anchor": bytes(anchor)}, PASSPHRASE, None),
        "another slot id, its check made again": (ci | {"slot_id": "00000000"}, None, keyfile),
        "another principal, its check made again": (ci | {"principal": "bob"}, None, keyfile),
        "another salt, its check made again": (ci | {"salt": bytes(16)}, None, keyfile),
    }
    return [
        {"name": name, "body": spec.encode(spec.with_check(found)), "passphrase": passphrase, "keyfile": keyfile_line}
        for name, (found, passphrase, keyfile_line) in cases.items()
    ]


# -- roots and records -------------------------------------------------------------------------------------------------


def first_set() -> Entry:
    """The vault's first root set: `admin` alone."""
    return spec.root_set(VAULT_ID, 1, {"admin": ADMIN})


def fingerprint() -> bytes:
    """The root fingerprint of the vault."""
    return spec.digest("fingerprint", spec.encode(first_set()))


def second_set() -> Entry:
    """The vault's second root set: `admin` and `bob`, signed by `admin`."""
    return spec.signed_root_set(spec.root_set(VAULT_ID, 2, {"admin": ADMIN, "bob": BOB}), "admin", ADMIN)


def third_set() -> Entry:
    """The vault's third root set: `bob` alone, signed by himself as one of the second."""
    return spec.signed_root_set(spec.root_set(VAULT_ID, 3, {"bob": BOB}), "bob", BOB)


def root_chains() -> list[Entry]:
    chain = [spec.encode(found) for found in (first_set(), second_set(), third_set())]
    return [
        {
            "name": f"{length} of a chain",
            "bodies": chain[:length],
            "fingerprint": fingerprint(),
            "number": length,
            "roots": roots,
        }
        for length, roots in ((1, ["admin"]), (2, ["admin", "bob"]), (3, ["bob"]))
    ]


def key_record(**members: Any) -> Entry:
    """The record of a key, as CreateKey makes it."""
    made = {
        "key_id": KEY_ID,
        "created": WHEN,
        "key_spec": "SYMMETRIC_DEFAULT",
        "key_usage": "ENCRYPT_DECRYPT",
        "origin": "AWS_KMS",
        "manager": "CUSTOMER",
        "state": "Enabled",
        "current": 1,
        "kek": 1,
    }
    return spec.record("key", made | members)


def version_record(number: int = 1, *, material: bytes | None = None, **members: Any) -> Entry:
    """The record of a version of the key."""
    material = material or (MATERIAL if number == 1 else fixed(f"material {number}"))
    made = {
        "key_id": KEY_ID,
        "number": number,
        "created": WHEN,
        "material_id": spec.material_id(VAULT_SECRET, KEY_ID, material),
        "sealed": spec.seal(
            KEK,
            spec.material_context(VAULT_ID, KEY_ID, number, 1),
            material,
            salt=fixed(f"salt of version {number}", 24),
        ),
    }
    return spec.record("version", made | members)


def pair_record(found: Encoded) -> Entry:
    """The record of the one version of a key pair."""
    return version_record(material=found.private, public=found.public)


def policy_record(**members: Any) -> Entry:
    """The record of a policy, with a space and a newline as its author wrote them."""
    document = '{"Version": "2012-10-17",\n "Statement": []}'
    return spec.record("policy", {"key_id": KEY_ID, "document": document} | members)


def grant_record(**members: Any) -> Entry:
    """The record of a grant."""
    made = {
        "key_id": KEY_ID,
        "grant_id": GRANT_ID,
        "created": WHEN,
        "grantee": GRANTEE,
        "operations": ["Encrypt", "Decrypt"],
    }
    return spec.record("grant", made | members)


def full_grant() -> Entry:
    """The record of a grant with every member that a grant can have beside the others."""
    constraint = {"\U0001f511": "1", "\uffff": "2", "b": "", "B": ALL_CHARACTERS, "": "3"}
    return grant_record(
        grant_id=fixed("another grant id").hex(), retiring=GRANTEE, name="a/b:c", context_equals=constraint
    )


def bodies(sealer: Sealer) -> dict[str, tuple[str, str, Entry]]:
    """Name -> kind, id and body of one record of each kind, and more."""
    vault = {
        "vault_id": VAULT_ID,
        "account": "123456789012",
        "region": "eu-central-1",
        "created": WHEN,
        "kdf_memory_mib": 64,
    }
    alias = {"name": "alias/app/db", "key_id": KEY_ID, "created": WHOLE_SECOND, "updated": WHEN}
    share = {"key_id": KEY_ID, "principal": "admin", "kek": 1, "sealed": _share(sealer, KEY_ID, "admin", ADMIN, 1)}
    secret = {"principal": "admin", "sealed": _vault_secret(sealer, "admin", ADMIN)}
    return {
        "vault": ("vault", "", spec.record("vault", vault)),
        "roots, the first set": ("roots", "1", first_set()),
        "roots, a later set": ("roots", "2", second_set()),
        "vault-secret": ("vault-secret", "admin", spec.record("vault-secret", secret)),
        "principal": ("principal", "admin", principal_record()),
        "principal, every member set": ("principal", "ci", role_record()),
        "principal, with access keys": ("principal", "bob", bob_record(access_keys=[ACCESS_KEY_ID])),
        "access-key": ("access-key", ACCESS_KEY_ID, access_key_record()),
        "access-key, inactive": ("access-key", ACCESS_KEY_ID, access_key_record(status="Inactive")),
        "access-key-share": ("access-key-share", "admin", access_key_share_record(sealer)),
        "identity-policy": ("identity-policy", "bob/use keys", identity_policy_record()),
        "roster": ("roster", "", spec.record("roster", {"principals": ["admin", "bob", "ci"]})),
        "sharing": ("sharing", "bob", sharing_record()),
        "sharing, every member set": ("sharing", "bob", sharing_record(renews="identity", old=fixed("old identity"))),
        "alias": ("alias", "alias/app/db", spec.record("alias", alias)),
        "share": ("share", f"{KEY_ID}/admin", spec.record("share", share)),
        **_key_bodies(),
        **_version_bodies(),
        "policy": ("policy", KEY_ID, policy_record()),
        "policy, every kind of character": ("policy", KEY_ID, policy_record(document=ALL_CHARACTERS)),
        "grant, as it is made": ("grant", f"{KEY_ID}/{GRANT_ID}", grant_record()),
        "grant, every member set": ("grant", f"{KEY_ID}/{full_grant()['grant_id']}", full_grant()),
        "grant, that ends": ("grant", f"{KEY_ID}/{GRANT_ID}", grant_record(expires=NEXT_DAY)),
        "grant, an empty constraint": ("grant", f"{KEY_ID}/{GRANT_ID}", grant_record(context_subset={})),
    }


def _key_bodies() -> dict[str, tuple[str, str, Entry]]:
    full = key_record(
        description=ALL_CHARACTERS,
        manager="AWS",
        state="PendingDeletion",
        aliases=["alias/app/db", "alias/zoo"],
        tags=[["a", ""], ["\u00e9", ALL_CHARACTERS]],
        current=4294967295,
        kek=2,
        deletion_date="2026-03-31T12:00:00Z",
        deletion_window=30,
        rotation_period=365,
        next_rotation="2027-03-01T12:00:00.123000Z",
        grant_end=NEXT_DAY,
    )
    return {
        "key, as it is made": ("key", KEY_ID, key_record()),
        "key, every member set": ("key", KEY_ID, full),
        "key, a multi-Region id": ("key", MULTI_REGION_ID, key_record(key_id=MULTI_REGION_ID)),
        "key, of origin EXTERNAL without material": ("key", KEY_ID, key_record(origin="EXTERNAL", current=0)),
        "key, a key pair": ("key", KEY_ID, key_record(key_spec="ECC_NIST_EDWARDS25519", key_usage="SIGN_VERIFY")),
    }


def _version_bodies() -> dict[str, tuple[str, str, Entry]]:
    first, second = f"{KEY_ID}/00000001", f"{KEY_ID}/00000002"
    rotated: Entry = {"rotation": "ON_DEMAND", "rotated": NEXT_DAY}
    automatic = rotated | {"rotation": "AUTOMATIC"}
    imported: Entry = {"description": "from the HSM", "valid_to": NEXT_DAY}
    return {
        "version, the first": ("version", first, version_record()),
        "version, of a rotation on demand": ("version", second, version_record(2, **rotated)),
        "version, of an automatic rotation": ("version", second, version_record(2, **automatic)),
        "version, imported": ("version", first, version_record(**imported)),
        "version, every member set": ("version", second, version_record(2, public=b"\x30\x00", **rotated, **imported)),
        "version, its material deleted": ("version", first, version_record(sealed=b"", description="from the HSM")),
        **{
            f"version, of {name}": ("version", first, pair_record(key_pairs_of_each_spec()[name]))
            for name in ("RSA_2048", "ECC_NIST_EDWARDS25519", "ML_KEM_768")
        },
    }


def principal_record() -> Entry:
    """The record of `admin`."""
    members = {
        "name": "admin",
        "kind": "user",
        "root": True,
        "state": "enabled",
        "created": WHEN,
        "sign": ADMIN.sign_public,
        "seal": ADMIN.sealing.public,
    }
    return spec.record("principal", members)


def role_record() -> Entry:
    """The record of `ci`, a role that is disabled and has tags."""
    members = {
        "name": "ci",
        "kind": "role",
        "root": False,
        "state": "disabled",
        "created": WHOLE_SECOND,
        "sign": BOB.sign_public,
        "seal": BOB.sealing.public,
        "tags": [["team", ALL_CHARACTERS], ["\u00e9", ""]],
    }
    return spec.record("principal", members)


def bob_record(**members: Any) -> Entry:
    """The record of `bob`, a user who is no root."""
    made = principal_record() | {"name": "bob", "root": False, "sign": BOB.sign_public, "seal": BOB.sealing.public}
    return spec.record("principal", made | members)


def sharing_record(**members: Any) -> Entry:
    """The record of a walk over the keys for `bob`."""
    return spec.record("sharing", {"principal": "bob", "bucket": 4095, "group": f"key/{KEY_ID}"} | members)


def access_key_record(**members: Any) -> Entry:
    """The record of an access key of `bob`."""
    made = {"access_key_id": ACCESS_KEY_ID, "principal": "bob", "status": "Active", "created": WHEN, "kek": 3}
    return spec.record("access-key", made | {"sealed": _access_key(ACCESS_KEY_ID, "bob", 3)} | members)


def access_key_share_record(sealer: Sealer) -> Entry:
    """The record of the share of `admin`."""
    sealed = _access_key_share(sealer, "admin", ADMIN, 3)
    return spec.record("access-key-share", {"principal": "admin", "kek": 3, "sealed": sealed})


def identity_policy_record() -> Entry:
    """The record of a policy of `bob`."""
    return spec.record("identity-policy", {"principal": "bob", "name": "use keys", "document": ALL_CHARACTERS})


def records(sealer: Sealer) -> list[Entry]:
    entries = []
    for name, (kind, record_id, members) in bodies(sealer).items():
        body = spec.encode(members)
        entries.append(
            {
                "name": name,
                "kind": kind,
                "id": record_id,
                "group": spec.group_of(kind, record_id),
                "body": body,
                "digest": spec.record_digest(kind, record_id, body),
            }
        )
    return entries


Row = tuple[str, str, str]
"""Kind, id and body of a record."""


def key_rows(sealer: Sealer) -> list[Row]:
    """The records of a key that has one of each kind."""
    names = ["key, as it is made", "policy", "share", "version, the first", "version, of a rotation on demand"]
    found = bodies(sealer)
    return [(kind, record_id, spec.encode(members)) for kind, record_id, members in (found[name] for name in names)]


def grant_rows() -> list[Row]:
    """The records of the grants on that key."""
    return [("grant", f"{KEY_ID}/{found['grant_id']}", spec.encode(found)) for found in (grant_record(), full_grant())]


def rows_with_digests(rows: Iterable[Row]) -> list[list[Any]]:
    """Rows as the store keeps them, in its order, each with the digest of its body."""
    return [[*row, spec.record_digest(*row)] for row in sorted(rows)]


def trunk_of(group: str, rows: list[list[Any]]) -> bytes:
    """The trunk's digest of a vault that has this group alone."""
    return spec.trunk_digest({group: [(kind, record_id, value) for kind, record_id, _, value in rows]} if rows else {})


def readings(sealer: Sealer) -> list[Entry]:
    cases = {
        "a key with its versions, share and policy": (f"key/{KEY_ID}", key_rows(sealer)),
        "the grants on a key": (f"grants/{KEY_ID}", grant_rows()),
        "a group that is not there": (f"grants/{MULTI_REGION_ID}", []),
    }
    entries = []
    for name, (group, found) in cases.items():
        rows = rows_with_digests(found)
        entries.append({"name": name, "group": group, "rows": rows, "trunk": trunk_of(group, rows)})
    return entries


# -- tree and head -----------------------------------------------------------------------------------------------------


def buckets_of() -> list[Entry]:
    keys = [f"key/{KEY_ID}", f"key/{MULTI_REGION_ID}", f"grants/{KEY_ID}"]
    names = ["vault", *keys, "principal/admin", "alias/app/db", "alias/\u00e9"]
    edges = [_name_in_bucket(0), _name_in_bucket(4095)]
    return [{"name": f"of {name}", "group": name, "bucket": spec.bucket_of(name)} for name in [*names, *edges]]


def _name_in_bucket(bucket: int) -> str:
    number = 0
    while spec.bucket_of(f"alias/{number}") != bucket:
        number += 1
    return f"alias/{number}"


def groups() -> list[Entry]:
    cases = {
        "one record": ("alias/app/db", [("alias", "alias/app/db", fixed("a"))]),
        "a key, its records out of order": (
            f"key/{KEY_ID}",
            [
                ("version", f"{KEY_ID}/00000002", fixed("b")),
                ("share", f"{KEY_ID}/admin", fixed("c")),
                ("version", f"{KEY_ID}/00000001", fixed("d")),
                ("key", KEY_ID, fixed("e")),
            ],
        ),
        "the grants on a key": (f"grants/{KEY_ID}", [("grant", f"{KEY_ID}/{GRANT_ID}", fixed("f"))]),
        "no record": ("vault", []),
    }
    return [
        {"name": name, "group": group, "records": found, "digest": spec.group_digest(group, found)}
        for name, (group, found) in cases.items()
    ]


def buckets() -> list[Entry]:
    cases = {
        "no group": (5, {}),
        "one group": (0, {"vault": fixed("vault")}),
        "the same group in another bucket": (256, {"vault": fixed("vault")}),
        "groups out of order": (
            4095,
            {"b": fixed("b"), "\U0001f511": fixed("key"), "\uffff": fixed("f"), "a": bytes(32)},
        ),
    }
    return [
        {"name": name, "number": number, "groups": list(found.items()), "digest": spec.bucket_digest(number, found)}
        for name, (number, found) in cases.items()
    ]


def nodes() -> list[Entry]:
    one = [bytes(32)] * 63 + [fixed("child")]
    cases = {
        "a branch without children": (3, [bytes(32)] * 64),
        "the trunk without children": (64, [bytes(32)] * 64),
        "a branch with its last child": (3, one),
        "the trunk with its last child": (64, one),
        "all children": (0, [fixed(f"child {number}") for number in range(64)]),
    }
    return [
        {
            "name": name,
            "number": number,
            "children": b"".join(children),
            "digest": spec.node_digest(number, children),
        }
        for name, (number, children) in cases.items()
    ]


def trees() -> list[Entry]:
    vault, key, alias = ("vault", ""), ("key", KEY_ID), ("alias", "alias/app/db")
    version = ("version", f"{KEY_ID}/00000001")
    steps: list[dict[tuple[str, str], bytes | None]] = [
        {vault: fixed("vault 1")},
        {alias: fixed("alias 1"), key: fixed("key 1"), version: fixed("version 1")},
        {key: fixed("key 2"), vault: fixed("vault 2")},
        {alias: None, key: fixed("key 3")},
        {key: None, vault: None, version: None},
    ]
    held: dict[tuple[str, str], bytes] = {}
    changes, trunks = [], []
    for step in steps:
        changes.append([[*name, held.get(name), new] for name, new in sorted(step.items())])
        held = {name: new for name, new in (held | step).items() if new}
        trunks.append(_trunk(held))
    return [{"name": "made, added to, changed, emptied", "changes": changes, "trunks": trunks}]


def _trunk(held: dict[tuple[str, str], bytes]) -> bytes:
    grouped: dict[str, list[tuple[str, str, bytes]]] = {}
    for (kind, record_id), value in held.items():
        group = {"vault": "vault", "alias": record_id}.get(kind, f"key/{KEY_ID}")
        grouped.setdefault(group, []).append((kind, record_id, value))
    return spec.trunk_digest(grouped)


def head(**members: Any) -> Entry:
    """The members of a head."""
    return {
        "vault_id": VAULT_ID,
        "generation": 7,
        "root": fixed("trunk").hex(),
        "seq": 12,
        "line": fixed("line").hex(),
        "author": "admin",
        "roots": 1,
        "keys": 0,
    } | members


def heads() -> list[Entry]:
    entries = []
    for name, members in {"a head": head(), "another": head(generation=2**53 + 1, roots=2, keys=1_000_000)}.items():
        body = spec.encode(members)
        message = spec.label("head", body)
        entries.append(
            {
                "name": name,
                "seed": ADMIN.seed,
                "members": members,
                "body": body,
                "signed_bytes": message,
                "signature": ADMIN.sign(message),
            }
        )
    return entries


# -- key material ------------------------------------------------------------------------------------------------------


def _share(sealer: Sealer, key_id: str, name: str, who: spec.Principal, kek: int) -> bytes:
    context = spec.share_context(VAULT_ID, key_id, name, kek)
    return sealer.seal_to_principal(f"share {kek} of {name} in {key_id}", context, KEK, who=who)


def shares(sealer: Sealer) -> list[Entry]:
    holders = {
        "admin": (KEY_ID, "admin", ADMIN, 3),
        "bob, a renewed KEK of a multi-Region key": (MULTI_REGION_ID, "bob", BOB, 4294967295),
    }
    return [
        {
            "name": name,
            "vault_id": VAULT_ID,
            "key_id": key_id,
            "principal": principal,
            "seed": who.seed,
            "kek_number": kek,
            "sealed": _share(sealer, key_id, principal, who, kek),
            "kek": KEK,
        }
        for name, (key_id, principal, who, kek) in holders.items()
    ]


def _vault_secret(sealer: Sealer, name: str, who: spec.Principal) -> bytes:
    context = spec.label("vault-secret", VAULT_ID, name)
    return sealer.seal_to_principal(f"vault secret of {name}", context, VAULT_SECRET, who=who)


def vault_secrets(sealer: Sealer) -> list[Entry]:
    return [
        {
            "name": "bob's",
            "vault_id": VAULT_ID,
            "principal": "bob",
            "seed": BOB.seed,
            "sealed": _vault_secret(sealer, "bob", BOB),
            "vault_secret": VAULT_SECRET,
        }
    ]


def _access_key_share(sealer: Sealer, name: str, who: spec.Principal, kek: int) -> bytes:
    context = spec.access_key_share_context(VAULT_ID, name, kek)
    return sealer.seal_to_principal(f"access key share {kek} of {name}", context, KEK, who=who)


def access_key_shares(sealer: Sealer) -> list[Entry]:
    roots = {"admin": (ADMIN, 3), "bob": (BOB, 4294967295)}
    return [
        {
            "name": name,
            "vault_id": VAULT_ID,
            "principal": name,
            "seed": who.seed,
            "kek_number": kek,
            "sealed": _access_key_share(sealer, name, who, kek),
            "kek": KEK,
        }
        for name, (who, kek) in roots.items()
    ]


def _access_key(key_id: str, principal: str, kek: int) -> bytes:
    context = spec.access_key_context(VAULT_ID, key_id, principal, kek)
    return spec.seal(KEK, context, ACCESS_KEY_SECRET.encode(), salt=fixed("salt of an access key", 24))


def access_keys() -> list[Entry]:
    random = {"id": fixed("access key id", 10), "secret": fixed("secret of an access key", 30)}
    owners = {"bob's": ("bob", 3), "under a renewed KEK": ("bob", 4), "another's": ("ci", 3)}
    return [
        {
            "name": name,
            "vault_id": VAULT_ID,
            "random_id": random["id"],
            "access_key_id": ACCESS_KEY_ID,
            "random_secret": random["secret"],
            "secret": ACCESS_KEY_SECRET,
            "principal": principal,
            "kek_number": kek,
            "kek": KEK,
            "sealed": _access_key(ACCESS_KEY_ID, principal, kek),
        }
        for name, (principal, kek) in owners.items()
    ]


def materials() -> list[Entry]:
    cases = {
        "the first version": (KEY_ID, 1, 1, MATERIAL),
        "a later version under a renewed KEK": (KEY_ID, 258, 2, MATERIAL),
        "a multi-Region key": (MULTI_REGION_ID, 1, 1, MATERIAL),
        "a key of HMAC_512": (KEY_ID, 1, 1, fixed("HMAC_512", 64)),
        "a key pair": (KEY_ID, 1, 1, key_pairs_of_each_spec()["ML_KEM_768"].private),
    }
    return [
        {
            "name": name,
            "vault_id": VAULT_ID,
            "key_id": key_id,
            "version": version,
            "kek_number": kek,
            "kek": KEK,
            "sealed": spec.seal(
                KEK,
                spec.material_context(VAULT_ID, key_id, version, kek),
                material,
                salt=fixed(f"salt of {name}", 24),
            ),
            "material": material,
        }
        for name, (key_id, version, kek, material) in cases.items()
    ]


@cache
def key_pairs_of_each_spec() -> dict[str, Encoded]:
    """Key spec -> a key pair; one size of RSA stands for all."""
    seeds = {"ML_DSA_44": 32, "ML_DSA_65": 32, "ML_DSA_87": 32, "ML_KEM_768": 64, "ML_KEM_1024": 64}
    sizes = {"ECC_NIST_P256": 31, "ECC_NIST_P384": 47, "ECC_NIST_P521": 65, "ECC_SECG_P256K1": 32}
    return {
        "RSA_2048": pairs.rsa(fixed_prime("first prime"), fixed_prime("second prime")),
        **{name: pairs.curve(name, int.from_bytes(fixed(name, size), "big")) for name, size in sizes.items()},
        "ECC_NIST_EDWARDS25519": pairs.edwards(fixed("ECC_NIST_EDWARDS25519")),
        **{name: pairs.lattice(name, fixed(name, size)) for name, size in seeds.items()},
    }


def fixed_prime(name: str) -> int:
    """The first prime behind a fixed number of 1024 bits, of which the first two are set."""
    candidate = int.from_bytes(fixed(name, 128), "big") | 3 << 1022 | 1
    small = [number for number in range(3, 2000, 2) if all(number % part for part in range(3, int(number**0.5) + 1, 2))]
    while not all(candidate % number for number in small) or not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test to the first bases: who makes the vectors chose the number, nobody else did."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29):
        power = pow(base, odd, number)
        if power not in (1, number - 1) and all(pow(power, 2**step, number) != number - 1 for step in range(1, twos)):
            return False
    return True


def key_pairs() -> list[Entry]:
    return [
        {
            "name": name,
            "key_spec": name,
            "private": found.private,
            "public": found.public,
            "imported": [found.private, *found.others.values()],
        }
        for name, found in key_pairs_of_each_spec().items()
    ]


def token_body(**members: Any) -> Entry:
    """What is sealed in an import token."""
    private = key_pairs_of_each_spec()["RSA_2048"].private
    return {"algorithm": "RSAES_OAEP_SHA_256", "private": private, "valid_to": NEXT_DAY} | members


def import_tokens() -> list[Entry]:
    cases = {
        "a token": (KEY_ID, token_body()),
        "a token of a multi-Region key": (MULTI_REGION_ID, token_body(algorithm="RSA_AES_KEY_WRAP_SHA_1")),
    }
    return [
        {
            "name": name,
            "vault_secret": VAULT_SECRET,
            "vault_id": VAULT_ID,
            "key_id": key_id,
            "now": WHEN,
            "members": members,
            "body": spec.encode(members),
            "token": spec.import_token(
                spec.token_key(VAULT_SECRET),
                spec.token_context(VAULT_ID, key_id),
                spec.encode(members),
                salt=fixed(f"salt of {name}", 24),
            ),
        }
        for name, (key_id, members) in cases.items()
    ]


def material_ids() -> list[Entry]:
    cases = {
        "a key": (VAULT_SECRET, KEY_ID),
        "the same material in another key": (VAULT_SECRET, MULTI_REGION_ID),
        "the same material in another vault": (bytes(32), KEY_ID),
    }
    return [
        {
            "name": name,
            "vault_secret": secret,
            "key_id": key_id,
            "material": MATERIAL,
            "material_id": spec.material_id(secret, key_id, MATERIAL),
        }
        for name, (secret, key_id) in cases.items()
    ]


# -- blobs and lines ---------------------------------------------------------------------------------------------------


def contexts() -> list[Entry]:
    cases: dict[str, dict[str, str] | None] = {
        "none": None,
        "an empty one": {},
        "one pair": {"app": "db"},
        "empty name and value": {"": ""},
        "pairs out of order": {"b": "1", "aa": "2", "a": "3", "": "4"},
        "case is distinct": {"App": "x", "app": "X"},
        "composed and decomposed are distinct": {"\u00e9": "nfc", "e\u0301": "nfd"},
        "the order of UTF-8, which is not that of UTF-16": {"\U0001f511": "1", "\uffff": "2"},
        "8192 bytes": {"n": "x" * (8192 - 4 - 4 - 1 - 4)},
        "all characters": {ALL_CHARACTERS: ALL_CHARACTERS},
    }
    return [
        {"name": name, "context": found, "canonical": spec.canonical_context(found or {})}
        for name, found in cases.items()
    ]


def blob(plaintext: bytes, context: dict[str, str], *, key_id: str = KEY_ID, version: int = 1) -> bytes:
    """A blob whose salt follows from what is in it."""
    header = spec.blob_header(key_id, version)
    bound = spec.blob_context(header, spec.canonical_context(context))
    return header + spec.seal(MATERIAL, bound, plaintext, salt=sha256(bound + plaintext).digest()[:24])


def blobs() -> list[Entry]:
    cases: dict[str, tuple[str, int, dict[str, str], bytes]] = {
        "a secret without context": (KEY_ID, 1, {}, b"attack at dawn"),
        "a secret with context": (KEY_ID, 1, {"app": "db", "\u00e4": ""}, b"attack at dawn"),
        "a later version": (KEY_ID, 4294967295, {"app": "db"}, b"attack at dawn"),
        "a multi-Region key": (MULTI_REGION_ID, 2, {"app": "db"}, b"attack at dawn"),
        "one byte": (KEY_ID, 1, {}, b"\x00"),
        "4096 bytes": (KEY_ID, 1, {}, fixed("4096 bytes", 4096)),
    }
    return [
        {
            "name": name,
            "key_id": key_id,
            "version": version,
            "material": MATERIAL,
            "encryption_context": context,
            "header": spec.blob_header(key_id, version),
            "plaintext": plaintext,
            "blob": blob(plaintext, context, key_id=key_id, version=version),
        }
        for name, (key_id, version, context, plaintext) in cases.items()
    ]


def event(**members: Any) -> Entry:
    """The members of a line before its signature."""
    chain = {"chain": {"seq": 7, "prev": fixed("line before").hex()}}
    return (
        {
            "eventVersion": "1.11",
            "eventTime": WHOLE_SECOND,
            "eventName": "Encrypt",
            "userIdentity": {"type": "IAMUser", "userName": "admin"},
            "readOnly": True,
            "requestParameters": {"keyId": "alias/app", "encryptionContext": {"\u00e4": '","signature":{'}},
            "responseElements": None,
            "resources": [],
            "vault": {"id": VAULT_ID, "generation": 3, "root": fixed("trunk").hex()},
        }
        | members
        | chain
    )


def lines() -> list[Entry]:
    change = [["alias", "alias/a", None, fixed("new").hex()], ["key", KEY_ID, fixed("old").hex(), None]]
    segment = {"number": 2, "roots": [spec.encode(first_set())]}
    events = {
        "a use": event(),
        "a change": event(eventName="DeleteAlias", readOnly=False, change=change),
        "what time brought": event(
            eventName="DeleteKey",
            eventType="AwsServiceEvent",
            readOnly=False,
            requestParameters=None,
            serviceEventDetails={"keyId": KEY_ID},
            change=change,
        ),
        "the first of a segment": event(eventName="AuditRecovered", requestParameters={}, segment=segment),
        "a refusal with every kind of character": event(errorCode="ValidationException", errorMessage=ALL_CHARACTERS),
    }
    entries = []
    for name, members in events.items():
        line = spec.audit_line(members, vault_id=VAULT_ID, signer="admin", who=ADMIN)
        before = spec.encode(members)[:-1]
        entries.append(
            {
                "name": name,
                "vault_id": VAULT_ID,
                "signer": "admin",
                "seed": ADMIN.seed,
                "event": members,
                "signed_bytes": spec.audit_signed(VAULT_ID, before),
                "line": line,
                "digest": sha256(line.encode()).hexdigest(),
            }
        )
    return entries


# -- joining -----------------------------------------------------------------------------------------------------------


def slot_of(sealer: Sealer, principal: str, name: str, who: spec.Principal) -> Entry:
    """A slot for a keyfile that opens the identity `who` of a principal."""
    made = slot(sealer, name, "keyfile")
    slot_id, salt = made["slot_id"], made["salt"]
    anchor = spec.seal(
        spec.anchor_key(KEYFILE_SECRET, salt),
        spec.label("slot-anchor", slot_id, principal),
        bytes.fromhex(VAULT_ID) + fingerprint(),
        salt=fixed(f"anchor of {name}", 24),
    )
    seed = sealer.seal_to(
        f"seed of {principal} in {name}, {spec.key_fingerprint(who)[:8]}",
        spec.label("slot-seed", slot_id, principal, VAULT_ID),
        who.seed,
        secret=KEYFILE_SECRET,
        prefix=spec.label("slot-seal", salt),
    )
    held = made | {"principal": principal, "anchor": anchor, "seed": seed}
    check = held.pop("check")
    return spec.with_check(held | {"proof": spec.proof(held, VAULT_ID, who), "check": check})


def join_members(sealer: Sealer, **members: Any) -> Entry:
    """The members of bob's request to join, without its signature."""
    made = {
        "format": "kms-join-1",
        "name": "bob",
        "vault_id": VAULT_ID,
        "fingerprint": fingerprint().hex(),
        "sign": BOB.sign_public,
        "seal": BOB.sealing.public,
        "slot": spec.encode(slot_of(sealer, "bob", "laptop", BOB)).encode(),
        "created": WHEN,
    }
    return made | members


def joins(sealer: Sealer) -> list[Entry]:
    file_content = spec.join_request(join_members(sealer), BOB)
    return [
        {
            "name": "of bob",
            "file": file_content,
            "keyfile": spec.keyfile(KEYFILE_SECRET),
            "seed": BOB.seed,
            "key_fingerprint": spec.key_fingerprint(BOB),
        }
    ]


NEW_BOB = spec.Principal(fixed("bob, renewed"))


def renewal_members(sealer: Sealer, **members: Any) -> Entry:
    """The members of bob's request for a new identity, without its signatures."""
    slots = sorted((slot_of(sealer, "bob", name, NEW_BOB) for name in ("laptop", "desk")), key=lambda s: s["slot_id"])
    made = {
        "format": "kms-renew-1",
        "name": "bob",
        "vault_id": VAULT_ID,
        "fingerprint": fingerprint().hex(),
        "old": BOB.sign_public,
        "sign": NEW_BOB.sign_public,
        "seal": NEW_BOB.sealing.public,
        "slots": [spec.encode(each).encode() for each in slots],
        "created": WHEN,
    }
    return made | members


def renewals(sealer: Sealer) -> list[Entry]:
    return [
        {
            "name": "of bob",
            "file": spec.renewal_request(renewal_members(sealer), BOB, NEW_BOB),
            "keyfile": spec.keyfile(KEYFILE_SECRET),
            "old": BOB.sign_public,
            "seed": NEW_BOB.seed,
        }
    ]


# -- a whole log -------------------------------------------------------------------------------------------------------


class Story:
    """A log in the making, as audit.md says it.

    Attributes:
        lines: Number of the segment and text of each line.
    """

    def __init__(self) -> None:
        self.lines: list[list[Any]] = []
        self._held: dict[tuple[str, str], bytes] = {}
        self._generation = 0
        self._segment = 1
        self._prev = "0" * 64

    def add(
        self,
        who: spec.Principal,
        signer: str,
        change: dict[tuple[str, str], str | None] | None = None,
        segment: Entry | None = None,
        **members: Any,
    ) -> None:
        """A line.

        Args:
            who: Who signs, by the name `signer`.
            signer: His name.
            change: The body of each record that it writes, None for one that it deletes.
            segment: What the first line of a segment repeats, without its number.
            members: Of the line, beside those that every one has.
        """
        line = {"eventTime": WHOLE_SECOND, "eventName": "Encrypt"} | members
        listed = []
        for (kind, record_id), body in sorted((change or {}).items()):
            new = None if body is None else spec.record_digest(kind, record_id, body)
            old = self._held.pop((kind, record_id), None)
            listed.append([kind, record_id, old.hex() if old else None, new.hex() if new else None])
            if new:
                self._held[kind, record_id] = new
        self._generation += bool(listed)
        grouped: dict[str, list[tuple[str, str, bytes]]] = {}
        for (kind, record_id), value in self._held.items():
            grouped.setdefault(spec.group_of(kind, record_id), []).append((kind, record_id, value))
        line["vault"] = {"id": VAULT_ID, "generation": self._generation, "root": spec.trunk_digest(grouped).hex()}
        if listed:
            line["change"] = listed
        for member, kind in (("roots", "roots"), ("principals", "principal")):
            carried = [body for (found, _), body in sorted((change or {}).items()) if found == kind and body]
            if carried and self.lines and member not in members:
                line[member] = carried
        if segment:
            self._segment += bool(self.lines)
            line["segment"] = {"number": self._segment} | segment
        line["chain"] = {"seq": len(self.lines) + 1, "prev": self._prev}
        text = spec.audit_line(line, vault_id=VAULT_ID, signer=signer, who=who)
        self.lines.append([self._segment, text])
        self._prev = sha256(text.encode()).hexdigest()


def story() -> Story:
    """Bob comes, works, gets a new identity, is disabled; then the only root renews her own."""
    log, sets = Story(), [spec.encode(first_set())]
    admin = {("principal", "admin"): spec.encode(principal_record()), ("roots", "1"): sets[0]}
    log.add(ADMIN, "admin", admin, {"roots": sets}, eventName="CreateVault")
    log.add(ADMIN, "admin", {("principal", "bob"): spec.encode(bob_record())}, eventName="CreateUser")
    log.add(BOB, "bob")
    known = {"name": "bob", "state": "enabled", "sign": BOB.sign_public}
    log.add(BOB, "bob", segment={"roots": sets, "principals": [known]})
    keys = {"sign": NEW_BOB.sign_public, "seal": NEW_BOB.sealing.public}
    log.add(ADMIN, "admin", {("principal", "bob"): spec.encode(bob_record(**keys))}, eventName="RotateIdentity")
    log.add(NEW_BOB, "bob")
    disabled = spec.encode(bob_record(state="disabled", **keys))
    log.add(ADMIN, "admin", {("principal", "bob"): disabled}, eventName="DisablePrincipal")
    other = spec.Principal(fixed("admin, renewed"))
    following = spec.signed_root_set(spec.root_set(VAULT_ID, 2, {"admin": other}), "admin", ADMIN)
    sets = [*sets, spec.encode(following)]
    renewed = principal_record() | {"sign": other.sign_public, "seal": other.sealing.public}
    change: dict[tuple[str, str], str | None] = {
        ("roots", "2"): sets[1],
        ("principal", "admin"): spec.encode(spec.record("principal", renewed)),
    }
    log.add(ADMIN, "admin", change, eventName="RotateIdentity")
    log.add(other, "admin")
    known = {"name": "bob", "state": "disabled", "sign": NEW_BOB.sign_public}
    log.add(other, "admin", segment={"roots": sets, "principals": [known]})
    log.add(other, "admin", {("principal", "bob"): None}, eventName="DeleteUser")
    log.add(other, "admin", segment={"roots": sets})
    return log


def logs() -> list[Entry]:
    return [{"name": "of several principals", "fingerprint": fingerprint(), "lines": story().lines}]
