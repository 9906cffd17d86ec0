"""The vectors that must be refused: one defect each, all else as it should be.

Where something is signed, sealed or checked, that is done over the defect, so that nothing but the defect is wrong.
"""

import base64
from typing import Any

from tests.vectors import spec
from tests.vectors.made import (
    ACCESS_KEY_ID,
    ACCESS_KEY_SECRET,
    ADMIN,
    BOB,
    KDF,
    KEK,
    KEY_ID,
    KEYFILE_SECRET,
    MATERIAL,
    MULTI_REGION_ID,
    NEXT_DAY,
    PASSPHRASE,
    VAULT_ID,
    VAULT_SECRET,
    WHEN,
    Entry,
    Row,
    Story,
    blob,
    bob_record,
    event,
    file,
    fingerprint,
    first_set,
    fixed,
    full_grant,
    grant_record,
    grant_rows,
    head,
    key_record,
    key_rows,
    policy_record,
    principal_record,
    rows_with_digests,
    second_set,
    slot,
    third_set,
    token_body,
    trunk_of,
    version_record,
)
from tests.vectors.sealed import Sealer

ORDER = 2**252 + 27742317777372353535851937790883648493
"""Order of the group of Ed25519: RFC 8032, section 5.1."""
EVE = spec.Principal(fixed("eve"))


def files(sealer: Sealer) -> dict[str, dict[str, Any]]:
    """Name of each file, without its ending -> content."""
    return {
        "rejected-context": file("Encryption contexts.", 'blob.md, "Canonical..."', contexts()),
        "rejected-blob": file("Ciphertexts that are taken apart and opened.", 'blob.md, "Blob"', blobs()),
        "rejected-seal": file("Sealed bytes.", 'vault.md, "Notation" (seal)', seals()),
        "rejected-hpke": file("Bytes sealed to a public key.", 'vault.md, "Notation" (seal_to)', hpkes(sealer)),
        "rejected-signature": file("Signatures.", 'vault.md, "Notation"', signatures()),
        "rejected-keyfile": file("Keyfiles.", 'vault.md, "Keyfile"', keyfiles()),
        "rejected-record": file("Bodies of records.", 'vault.md, "Notation", "Records"', records()),
        "rejected-reading": file("Groups, read under a trunk.", 'vault.md, "Reading"', readings(sealer)),
        "rejected-import-token": file("Import tokens.", 'vault.md, "Import tokens"', import_tokens()),
        "rejected-slot": file("Slots, opened with their own secret.", 'vault.md, "Slots"', slots(sealer)),
        "rejected-roots": file("Chains of root sets.", 'vault.md, "Roots"', root_chains()),
        "rejected-head": file("Heads.", 'vault.md, "Head"', heads()),
        "rejected-share": file("Shares.", 'vault.md, "Key material"', shares(sealer)),
        "rejected-vault-secret": file("Vault secrets.", 'vault.md, "Key material"', vault_secrets(sealer)),
        "rejected-access-key-share": file("Shares.", 'vault.md, "Access keys"', access_key_shares(sealer)),
        "rejected-access-key": file("Access keys.", 'vault.md, "Access keys"', access_keys()),
        "rejected-material": file("Materials of versions.", 'vault.md, "Key material"', materials()),
        "rejected-auditlog": file("Logs, up to a line that is wrong.", 'audit.md, "Who signs"', logs()),
        "rejected-auditline": file("Lines of the log.", 'audit.md, "Line"', lines()),
    }


def refused(name: str, layer: str, error: str, **members: Any) -> Entry:
    """An entry."""
    return {"name": name, "layer": layer, "error": error, **members}


def replaced(text: str, old: str, new: str) -> str:
    """`text` with its one `old` replaced."""
    if text.count(old) != 1:
        raise ValueError(f"{old!r} is not once in {text!r}")
    return text.replace(old, new)


def flipped(data: bytes, place: int) -> bytes:
    """`data` with the last bit of one byte flipped."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


# -- contexts and blobs ------------------------------------------------------------------------------------------------


def contexts() -> list[Entry]:
    cases = {
        "a lone surrogate in a name": {"\ud800": "x"},
        "a lone surrogate in a value": {"x": "\udfff"},
        "8193 bytes": {"n": "x" * (8193 - 4 - 4 - 1 - 4)},
    }
    return [refused(name, "formats.context", "ValidationError", context=context) for name, context in cases.items()]


def blobs() -> list[Entry]:
    context = {"app": "db"}
    good = blob(b"attack at dawn", context)
    header = spec.blob_header(KEY_ID, 1)
    bound = spec.blob_context(header, spec.canonical_context(context))

    def with_header(changed: bytes) -> bytes:
        """A blob that is sealed well under a header that is not."""
        return changed + spec.seal(
            MATERIAL,
            spec.blob_context(changed, spec.canonical_context(context)),
            b"attack at dawn",
            salt=fixed("salt of a wrong header", 24),
        )

    shapes = {
        "nothing": b"",
        "three bytes": b"KMS",
        "no more than the name": b"KMSB",
        "no more than name and format": b"KMSB\x01",
        "the header alone": header,
        "one byte less than the smallest": header + spec.seal(MATERIAL, bound, b"", salt=bytes(24)),
        "another name": with_header(b"KMSC" + header[4:]),
        "a name in lower case": with_header(b"kmsb" + header[4:]),
        "an unknown kind of key id": with_header(spec.blob_header(KEY_ID, 1, kind=2)),
        "the greatest kind of key id": with_header(spec.blob_header(KEY_ID, 1, kind=255)),
    }
    formats = {
        "format 0": with_header(spec.blob_header(KEY_ID, 1, fmt=0)),
        "format 2": with_header(spec.blob_header(KEY_ID, 1, fmt=2)),
        "format 2, five bytes": b"KMSB\x02",
        "format 2 with an unknown kind": with_header(spec.blob_header(KEY_ID, 1, fmt=2, kind=9)),
    }
    other = blob(b"attack at noon", context)
    changes = {
        "another kind of key id": flipped(good, 5),
        "another key id": flipped(good, 6),
        "another version": flipped(good, 25),
        "a changed salt": flipped(good, 26),
        "a changed commitment": flipped(good, 50),
        "a changed ciphertext": flipped(good, 82),
        "a changed tag": flipped(good, -1),
        "the last byte cut off": good[:-1],
        "a byte more": good + b"\x00",
        "the chunk of another blob": good[:82] + other[82:],
        "the commitment of another blob": good[:50] + other[50:82] + good[82:],
    }
    members = {"material": MATERIAL, "encryption_context": context}
    uses: dict[str, Entry] = {
        "another material": {"material": KEK, "encryption_context": context},
        "no encryption context": {"material": MATERIAL, "encryption_context": {}},
        "another name in the encryption context": {"material": MATERIAL, "encryption_context": {"App": "db"}},
        "a pair more in the encryption context": {"material": MATERIAL, "encryption_context": {**context, "": ""}},
    }
    return [
        *(refused(n, "formats.blob", "InvalidCiphertextError", **members, blob=found) for n, found in shapes.items()),
        *(refused(n, "formats.blob", "UnsupportedFormatError", **members, blob=found) for n, found in formats.items()),
        *(refused(n, "crypto.seal", "SealBrokenError", **members, blob=found) for n, found in changes.items()),
        *(refused(n, "crypto.seal", "SealBrokenError", **used, blob=good) for n, used in uses.items()),
    ]


# -- sealed and signed bytes -------------------------------------------------------------------------------------------


def seals() -> list[Entry]:
    key, context = fixed("seal"), b"context"
    good = spec.seal(key, context, b"plaintext", salt=fixed("salt", 24))
    empty = spec.seal(key, context, b"", salt=fixed("salt", 24))
    cases = {
        "nothing": (key, context, b""),
        "a salt alone": (key, context, good[:24]),
        "salt and commitment alone": (key, context, good[:56]),
        "a tag cut short": (key, context, empty[:-1]),
        "the last byte cut off": (key, context, good[:-1]),
        "a byte more": (key, context, good + b"\x00"),
        "a changed salt": (key, context, flipped(good, 0)),
        "a changed commitment": (key, context, flipped(good, 24)),
        "a changed ciphertext": (key, context, flipped(good, 56)),
        "a changed tag": (key, context, flipped(good, -16)),
        "another key": (bytes(32), context, good),
        "another context": (key, b"contexts", good),
        "a part of the context moved into the salt": (key, context[1:], good),
        "the chunk of another length with the same key stream": (key, context, good[:57] + good[-16:]),
    }
    return [
        refused(name, "crypto.seal", "SealBrokenError", key=used, context=bound, sealed=sealed)
        for name, (used, bound, sealed) in cases.items()
    ]


def hpkes(sealer: Sealer) -> list[Entry]:
    context = spec.label("share", b"hpke")
    good = sealer.seal_to_principal("bytes for admin", context, b"plaintext", who=ADMIN)
    other = sealer.seal_to_principal("other bytes for admin", context, b"plaintext", who=ADMIN)
    cases = {
        "nothing": (ADMIN, context, b""),
        "an encapsulation alone": (ADMIN, context, good[:1120]),
        "an encapsulation cut short": (ADMIN, context, good[:1119]),
        "the last byte cut off": (ADMIN, context, good[:-1]),
        "a byte more": (ADMIN, context, good + b"\x00"),
        "a changed part of ML-KEM": (ADMIN, context, flipped(good, 0)),
        "a changed part of X25519": (ADMIN, context, flipped(good, 1088)),
        "the zero point of X25519": (ADMIN, context, good[:1088] + bytes(32) + good[1120:]),
        "the part of ML-KEM of other bytes": (ADMIN, context, other[:1088] + good[1088:]),
        "the part of X25519 of other bytes": (ADMIN, context, good[:1088] + other[1088:1120] + good[1120:]),
        "a changed ciphertext": (ADMIN, context, flipped(good, 1120)),
        "a changed tag": (ADMIN, context, flipped(good, -1)),
        "another identity": (BOB, context, good),
        "another context": (ADMIN, context + b"\x00", good),
        "no context": (ADMIN, b"", good),
    }
    return [
        refused(name, "crypto.identity", "SealBrokenError", seed=who.seed, context=bound, sealed=sealed)
        for name, (who, bound, sealed) in cases.items()
    ]


def signatures() -> list[Entry]:
    message = spec.label("head", b"body")
    good = ADMIN.sign(message)
    grown = (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    cases = {
        "none": (ADMIN.sign_public, message, b""),
        "one cut short": (ADMIN.sign_public, message, good[:-1]),
        "a byte more": (ADMIN.sign_public, message, good + b"\x00"),
        "zeros": (ADMIN.sign_public, message, bytes(64)),
        "a changed R": (ADMIN.sign_public, message, flipped(good, 0)),
        "a changed S": (ADMIN.sign_public, message, flipped(good, 32)),
        "an S above the order of the group": (ADMIN.sign_public, message, good[:32] + grown),
        "another message": (ADMIN.sign_public, message + b"\x00", good),
        "the same message for another purpose": (ADMIN.sign_public, spec.label("roots", b"body"), good),
        "the message without its label": (ADMIN.sign_public, b"body", good),
        "another signer": (BOB.sign_public, message, good),
        "a public key of another length": (ADMIN.sign_public[:-1], message, good),
    }
    return [
        refused(name, "crypto.identity", "SignatureBrokenError", public=public, message=signed, signature=signature)
        for name, (public, signed, signature) in cases.items()
    ]


# -- keyfiles, records, slots ------------------------------------------------------------------------------------------


def keyfiles() -> list[Entry]:
    line = spec.keyfile(KEYFILE_SECRET)
    prefix, raw = "kms-keyfile-1 ", KEYFILE_SECRET + spec.digest("keyfile", KEYFILE_SECRET)[:4]
    other = "B" if line[-1] == "A" else "A"
    cases = {
        "nothing": "",
        "the prefix alone": prefix,
        "base64 alone": spec.base64_text(raw),
        "another number": replaced(line, "keyfile-1", "keyfile-2"),
        "a prefix in upper case": line.replace("kms", "KMS"),
        "no space after the prefix": line.replace(" ", ""),
        "a second space after the prefix": line.replace(" ", "  "),
        "the last character cut off": line[:-1],
        "the last four characters cut off": line[:-4],
        "the last character changed": line[:-1] + other,
        "the first character of the secret changed": prefix + ("B" if line[14] == "A" else "A") + line[15:],
        "two characters swapped": _swapped(line),
        "no checksum": prefix + spec.base64_text(KEYFILE_SECRET),
        "the checksum of another purpose": prefix + spec.base64_text(KEYFILE_SECRET + spec.digest("record")[:4]),
        "a secret of 31 bytes with its checksum": spec.keyfile(KEYFILE_SECRET[1:]),
        "a secret of 33 bytes with its checksum": spec.keyfile(KEYFILE_SECRET + b"\x00"),
        "a line break within": line[:40] + "\n" + line[40:],
        "four more characters": line + "AAAA",
        "padding that is none": line + "=",
        "a character that is not of base64": line[:-1] + "*",
        "a byte order mark": "\ufeff" + line,
        "two keyfiles": f"{line}\n{line}\n",
        "bytes that are not UTF-8": line + "\udcff",
    }
    return [refused(name, "formats.keyfile", "InvalidKeyfileError", file=text) for name, text in cases.items()]


def _swapped(line: str) -> str:
    place = next(place for place in range(20, len(line) - 1) if line[place] != line[place + 1])
    return line[:place] + line[place + 1] + line[place] + line[place + 2 :]


def records() -> list[Entry]:
    key, version = spec.encode(key_record(description="abc")), spec.encode(version_record())
    principal, first = spec.encode(principal_record()), spec.encode(first_set())
    policy, grant, full = spec.encode(policy_record()), spec.encode(grant_record()), spec.encode(full_grant())
    sealed = spec.base64_text(version_record()["sealed"])
    signing = spec.base64_text(ADMIN.sign_public)
    cases: dict[str, tuple[str, str]] = {
        "nothing": ("key", ""),
        "null": ("key", "null"),
        "a list": ("key", f"[{key}]"),
        "an empty object": ("key", "{}"),
        "the body of another kind": ("key", version),
        "cut in the middle": ("key", key[: len(key) // 2]),
        "the last byte cut off": ("key", key[:-1]),
        "a second value behind it": ("key", key + key),
        "a newline behind it": ("key", key + "\n"),
        "a space before it": ("key", " " + key),
        "a space within": ("key", replaced(key, '"current":1', '"current": 1')),
        "a byte order mark": ("key", "\ufeff" + key),
        "a member twice, the same value": ("key", replaced(key, '"kek":1', '"kek":1,"kek":1')),
        "a member twice, another value first": ("key", replaced(key, '"kek":1', '"kek":2,"kek":1')),
        "an unknown member": ("key", replaced(key, '"kek":1', '"kek":1,"note":""')),
        "a missing member": ("key", replaced(key, '"kek":1,', "")),
        "null for a member that has its default": ("key", replaced(key, '"abc"', '"abc","deletion_window":null')),
        "an empty string for a member that has its default": ("key", replaced(key, '"abc"', '""')),
        "an empty list for a member that has its default": ("key", replaced(key, '"abc"', '"abc","aliases":[]')),
        "an empty list of tags": ("key", replaced(key, '"abc"', '"abc","tags":[]')),
        "no bytes for a member that has its default": ("version", version[:-1] + ',"public":""}'),
        "no sealed bytes, spelled out": ("version", replaced(version, sealed, "")),
        "null for the first version's rotation": ("version", version[:-1] + ',"rotation":null}'),
        "null for a constraint of a grant": ("grant", grant[:-1] + ',"context_equals":null}'),
        "nobody who may retire a grant, spelled out": ("grant", grant[:-1] + ',"retiring":""}'),
        "no signer of the first root set, spelled out": ("roots", first[:-1] + ',"signer":""}'),
        "no signature of the first root set, spelled out": ("roots", first[:-1] + ',"signature":""}'),
        "members with a default in another order": (
            "grant",
            replaced(full, ',"name":"a/b:c"', "").replace(',"retiring"', ',"name":"a/b:c","retiring"'),
        ),
        "a member with a default before those without": (
            "key",
            replaced(key, ',"description":"abc"', "").replace('"current"', '"description":"abc","current"'),
        ),
        "the names of a map in another order": ("grant", replaced(full, '"B":', '"c":')),
        "the names of a map in the order of UTF-16": ("grant", _swapped_names(full)),
        "a name twice in a map": ("grant", replaced(full, '"b":""', '"b":"","b":""')),
        "a number in a map": ("grant", replaced(full, '"b":""', '"b":0')),
        "an object for the document of a policy": ("policy", policy[: policy.index('"document":') + 11] + "{}}"),
        "an unknown state": ("key", replaced(key, '"Enabled"', '"PendingImport"')),
        "an unknown origin": ("key", replaced(key, '"AWS_KMS"', '"AWS_CLOUDHSM"')),
        "an unknown rotation": ("version", version[:-1] + ',"rotation":"IMPORTED"}'),
        "members in another order": ("key", replaced(key, '"current":1,"kek":1', '"kek":1,"current":1')),
        "a number as a string": ("key", replaced(key, '"kek":1', '"kek":"1"')),
        "a number with a fraction": ("key", replaced(key, '"kek":1', '"kek":1.0')),
        "a number with an exponent": ("key", replaced(key, '"kek":1', '"kek":1e0')),
        "a number with a zero before it": ("key", replaced(key, '"kek":1', '"kek":01')),
        "a number with a plus": ("key", replaced(key, '"kek":1', '"kek":+1')),
        "minus zero": ("key", replaced(key, '"kek":1', '"kek":-0')),
        "not a number": ("key", replaced(key, '"kek":1', '"kek":NaN')),
        "true for a number": ("key", replaced(key, '"kek":1', '"kek":true')),
        "one for true": ("principal", replaced(principal, '"root":true', '"root":1')),
        "null where a value must be": ("key", replaced(key, '"description":"abc"', '"description":null')),
        "an unknown manager": ("key", replaced(key, '"CUSTOMER"', '"customer"')),
        "a character escaped without need": ("key", replaced(key, '"abc"', '"\\u0061bc"')),
        "a slash escaped": ("key", replaced(key, '"abc"', '"a\\/c"')),
        "a control character, not escaped": ("key", replaced(key, '"abc"', '"a\nc"')),
        "a control character, escaped at length": ("key", replaced(key, '"abc"', '"a\\u000ac"')),
        "a lone surrogate, escaped": ("key", replaced(key, '"abc"', '"\\ud800"')),
        "a pair of surrogates, escaped": ("key", replaced(key, '"abc"', '"\\ud83d\\udd11"')),
        "a lone surrogate, in bytes": ("key", replaced(key, '"abc"', '"\udced\udca0\udc80"')),
        "bytes that are not UTF-8": ("key", replaced(key, '"abc"', '"\udcff"')),
        "an overlong character": ("key", replaced(key, '"abc"', '"\udcc1\udca1"')),
        "a comment": ("key", replaced(key, '"kek":1', '"kek":1/**/')),
        "a comma behind the last member": ("key", key[:-1] + ",}"),
        "nesting without end": ("key", "[" * 5000),
        "a time with an offset": ("key", replaced(key, "123456Z", "123456+00:00")),
        "a time in another zone": ("key", replaced(key, "123456Z", "123456+01:00")),
        "a time without zone": ("key", replaced(key, "123456Z", "123456")),
        "a time with a small z": ("key", replaced(key, "123456Z", "123456z")),
        "a time with a space": ("key", replaced(key, "01T12", "01 12")),
        "a time with too few digits": ("key", replaced(key, ".123456Z", ".1234Z")),
        "a time with too many digits": ("key", replaced(key, ".123456Z", ".1234561Z")),
        "a time with a fraction of zero": ("key", replaced(key, ".123456Z", ".000000Z")),
        "a time that never was": ("key", replaced(key, "2026-03-01", "2026-02-29")),
        "a number for a time": ("key", replaced(key, '"2026-03-01T12:00:00.123456Z"', "1772366400")),
        "base64 without padding": ("principal", replaced(principal, signing, signing.rstrip("="))),
        "base64 with bits behind the last byte": ("principal", replaced(principal, signing, _trailing(signing))),
        "base64 of URLs": ("version", replaced(version, sealed, base64.urlsafe_b64encode(b"\xff" * 105).decode())),
        "base64 with a line break": ("version", replaced(version, sealed, sealed[:76] + "\\n" + sealed[76:])),
        "a root set without roots": ("roots", replaced(first, first[first.index('"roots"') : -1], '"roots":null')),
        "an unknown member of a root": ("roots", replaced(first, '"principal":"admin"', '"principal":"admin","a":1')),
    }
    return [
        refused(name, "formats.record", "VaultTamperedError", kind=kind, body=body)
        for name, (kind, body) in cases.items()
    ]


def _swapped_names(body: str) -> str:
    """The body of a grant with the last two names of its map in the order of their UTF-16."""
    first, second = ',"\uffff":"2"', ',"\U0001f511":"1"'
    return replaced(body, first + second, second + first)


def _trailing(text: str) -> str:
    """Another base64 of the same 32 bytes: a bit set that no byte has."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = text[-2]
    changed = text[:-2] + alphabet[alphabet.index(last) + 1] + "="
    if base64.b64decode(changed) != base64.b64decode(text):
        raise ValueError(text)
    return changed


def readings(sealer: Sealer) -> list[Entry]:
    """Groups whose digests fit all the way up, as a defect that a root signed, and groups that do not fit."""
    key, grants = f"key/{KEY_ID}", f"grants/{KEY_ID}"
    in_key, in_grants = key_rows(sealer), grant_rows()
    # Of what does not fit: the group, the rows of the trunk, the rows that are found.
    policy = next(row for row in in_key if row[0] == "policy")
    opened = ("policy", KEY_ID, spec.encode(policy_record(document="{}")))
    misplaced: dict[str, tuple[str, list[Row]]] = {
        "a grant in the group of its key": (key, [*in_key, in_grants[0]]),
        "a grant in the group of another key": (f"grants/{MULTI_REGION_ID}", [in_grants[0]]),
        "a policy in the group of the grants": (grants, [*in_grants, policy]),
        "a version in the group of another key": (f"key/{MULTI_REGION_ID}", in_key[-1:]),
    }
    unsigned: dict[str, tuple[str, list[Row], list[Row]]] = {
        "a grant removed": (grants, in_grants, in_grants[:1]),
        "all grants removed": (grants, in_grants, []),
        "a grant added": (grants, in_grants[:1], in_grants),
        "a grant in a group that was absent": (grants, [], in_grants),
        "a policy removed": (key, in_key, [row for row in in_key if row != policy]),
        "another policy": (key, in_key, [opened if row == policy else row for row in in_key]),
    }
    rows = rows_with_digests(in_grants)
    broadened = [*rows[0][:2], spec.encode(grant_record(operations=["CreateGrant"])), rows[0][3]]
    found = [
        *(
            _reading(name, group, rows_with_digests(held), trunk_of(group, rows_with_digests(held)))
            for name, (group, held) in misplaced.items()
        ),
        *(
            _reading(name, group, rows_with_digests(held), trunk_of(group, rows_with_digests(signed)))
            for name, (group, signed, held) in unsigned.items()
        ),
    ]
    return [*found, _reading("a changed grant, its digest kept", grants, [broadened, rows[1]], trunk_of(grants, rows))]


def _reading(name: str, group: str, rows: list[list[Any]], trunk: bytes) -> Entry:
    return refused(name, "vault.records", "VaultTamperedError", group=group, rows=rows, trunk=trunk)


def import_tokens() -> list[Entry]:
    body, salt = spec.encode(token_body()), fixed("salt of a token", 24)
    key, context = spec.token_key(VAULT_SECRET), spec.token_context(VAULT_ID, KEY_ID)
    good = spec.import_token(key, context, body, salt=salt)
    second = b"KMSI\x02"

    def made(bound: bytes = context, text: str = body, *, secret: bytes = key) -> bytes:
        return spec.import_token(secret, bound, text, salt=salt)

    heads = {
        "nothing": b"",
        "the name alone": b"KMSI",
        "the head of a ciphertext": b"KMSB" + good[4:],
        "another format": spec.import_token(
            key, spec.token_context(VAULT_ID, KEY_ID, head=second), body, salt=salt, head=second
        ),
        "a byte before it": b"\x00" + good,
    }
    closed = {
        "the head alone": good[:5],
        "for another key": made(spec.token_context(VAULT_ID, MULTI_REGION_ID)),
        "of another vault": made(spec.token_context(fixed("another vault", 16).hex(), KEY_ID)),
        "under another vault secret": made(secret=spec.token_key(bytes(32))),
        "under the vault secret itself": made(secret=VAULT_SECRET),
        "bound without its head": made(spec.label("import-token", VAULT_ID, KEY_ID)),
        "bound for another purpose": made(spec.material_context(VAULT_ID, KEY_ID, 1, 1)),
        "a changed salt": flipped(good, 5),
        "a changed commitment": flipped(good, 29),
        "a changed ciphertext": flipped(good, 61),
        "a changed tag": flipped(good, -1),
        "the last byte cut off": good[:-1],
        "a byte more": good + b"\x00",
    }
    misspelled = {
        "an unknown member": made(text=body[:-1] + ',"note":""}'),
        "a missing member": made(text=replaced(body, ',"valid_to":"' + NEXT_DAY + '"', "")),
        "a space within": made(text=replaced(body, '"algorithm":', '"algorithm": ')),
    }
    over = {
        "at the end of its day": spec.encode(token_body(valid_to=WHEN.replace("123456", "123000"))),
        "after its day": spec.encode(token_body(valid_to="2026-02-28T12:00:00Z")),
    }
    cases = [
        *((name, "formats.importtoken", "InvalidImportTokenError", token) for name, token in heads.items()),
        *((name, "service.imports", "InvalidImportTokenError", token) for name, token in closed.items()),
        *((name, "formats.record", "VaultTamperedError", token) for name, token in misspelled.items()),
        *((name, "service.imports", "ExpiredImportTokenError", made(text=text)) for name, text in over.items()),
    ]
    parts = {"vault_secret": VAULT_SECRET, "vault_id": VAULT_ID, "key_id": KEY_ID, "now": WHEN}
    return [refused(name, layer, error, **parts, token=token) for name, layer, error, token in cases]


def slots(sealer: Sealer) -> list[Entry]:
    typed, ci = slot(sealer, "to be changed"), slot(sealer, "ci to be changed", "keyfile")
    body = spec.encode(typed)
    stranger = spec.slot_pair(fixed("stranger"), typed["salt"]).public
    other_vault = slot(sealer, "of two vaults", "keyfile", sealed_for=fixed("another vault", 16).hex())
    by_passphrase = {"passphrase": PASSPHRASE, "keyfile": None}
    by_keyfile = {"passphrase": None, "keyfile": spec.keyfile(KEYFILE_SECRET)}
    damaged = {
        "a changed check": spec.encode(typed | {"check": flipped(typed["check"], 0)}),
        "an empty check": spec.encode(typed | {"check": b""}),
        "a longer check": spec.encode(typed | {"check": typed["check"] + b"\x00"}),
        "another label": spec.encode(typed | {"label": "another"}),
        "a changed salt": spec.encode(typed | {"salt": flipped(typed["salt"], 0)}),
        "a changed seed": spec.encode(typed | {"seed": flipped(typed["seed"], 2000 // 2)}),
        "a check of the seed without the rest": spec.encode(
            typed | {"check": spec.digest("slot-check", typed["seed"])[:8]}
        ),
    }
    unreadable = {
        "another kind of secret": spec.encode(spec.with_check(typed | {"kind": "token"})),
        "an unknown member": replaced(body, '"kind":', '"pin":"","kind":'),
        "a space within": replaced(body, '"kdf":{', '"kdf": {'),
        "members of the cost in another order": replaced(body, '"passes":1,"lanes":1', '"lanes":1,"passes":1'),
    }
    derivations = {
        "less memory than the floor": {"kdf": KDF | {"memory_kib": 8 * 1024 - 1}},
        "more memory than the ceiling": {"kdf": KDF | {"memory_kib": 4 * 1024 * 1024 + 1}},
        "no pass": {"kdf": KDF | {"passes": 0}},
        "65 passes": {"kdf": KDF | {"passes": 65}},
        "no lane": {"kdf": KDF | {"lanes": 0}},
        "65 lanes": {"kdf": KDF | {"lanes": 65}},
        "a negative cost": {"kdf": {"memory_kib": -8192, "passes": -1, "lanes": -1}},
        "a salt of 15 bytes": {"salt": typed["salt"][1:]},
        "no salt": {"salt": b""},
    }
    tampered = "VaultTamperedError"
    broken = {
        "a changed seed, its check made again": ci | {"seed": flipped(ci["seed"], -1)},
        "a seed bound to another vault than the anchor": other_vault,
        "the seed of another slot": ci | {"seed": slot(sealer, "ci again", "keyfile")["seed"]},
    }
    foreign = spec.encode(spec.with_check(typed | {"public": stranger}))
    return [
        *(refused(n, "formats.slot", tampered, **by_passphrase, body=found) for n, found in damaged.items()),
        *(refused(n, "formats.record", tampered, **by_passphrase, body=found) for n, found in unreadable.items()),
        *(
            refused(n, "crypto.kdf", tampered, **by_passphrase, body=spec.encode(spec.with_check(typed | changed)))
            for n, changed in derivations.items()
        ),
        *(
            refused(n, "crypto.identity", "SealBrokenError", **by_keyfile, body=spec.encode(spec.with_check(found)))
            for n, found in broken.items()
        ),
        refused("the public key of a stranger", "vault.slots", tampered, **by_passphrase, body=foreign),
    ]


# -- roots and heads ---------------------------------------------------------------------------------------------------


def root_chains() -> list[Entry]:
    first, second, third = first_set(), second_set(), third_set()
    both = {"admin": ADMIN, "bob": BOB}
    plain = spec.root_set(VAULT_ID, 2, both)
    unsigned = spec.record("roots", plain | {"signer": "admin"})

    def following(set_members: Entry, signer: str = "admin", who: spec.Principal = ADMIN) -> list[Entry]:
        return [first, spec.signed_root_set(set_members, signer, who)]

    unchained = {
        "no root set": [],
        "another root in the first set": [spec.root_set(VAULT_ID, 1, {"admin": EVE})],
        "the chain without its first set": [second, third],
        "the chain without its second set": [first, third],
        "the second set twice": [first, second, second],
        "the number 3 behind the first": following(spec.root_set(VAULT_ID, 3, both)),
        "the number 1 behind the first": following(spec.root_set(VAULT_ID, 1, both)),
        "the id of another vault": following(spec.root_set(fixed("another vault", 16).hex(), 2, both)),
        "a signer who is root of neither": following(plain, "eve", EVE),
        "a signer who becomes root by it": following(plain, "bob", BOB),
        "no signer": [first, plain | {"signature": ADMIN.sign(spec.label("roots", spec.encode(plain)))}],
        "a signer who is root no longer": [
            first,
            second,
            third,
            spec.signed_root_set(spec.root_set(VAULT_ID, 4, both), "admin", ADMIN),
        ],
    }
    signed = second | {"signature": ADMIN.sign(spec.label("roots", spec.encode(second)))}
    unproved = {
        "no signature": [first, unsigned],
        "a changed signature": [first, second | {"signature": flipped(second["signature"], 0)}],
        "a root added after it was signed": [first, second | {"roots": [*second["roots"], *third["roots"]]}],
        "the signature of another": following(plain, "admin", EVE),
        "a signature over the body with a signature": [first, signed],
        "a signature over the body with an empty signature": [
            first,
            unsigned | {"signature": ADMIN.sign(spec.label("roots", spec.encode(unsigned | {"signature": b""})))},
        ],
        "a signature for another purpose": [
            first,
            unsigned | {"signature": ADMIN.sign(spec.label("head", spec.encode(unsigned)))},
        ],
        "a signature over the body without label": [
            first,
            unsigned | {"signature": ADMIN.sign(spec.encode(unsigned).encode())},
        ],
    }
    firsts = {
        "a first set with a signer": first | {"signer": "admin"},
        "a first set with a signature": first | {"signature": ADMIN.sign(spec.label("roots", spec.encode(first)))},
        "a first set with the number 2": first | {"number": 2},
        "a first set with the number 0": first | {"number": 0},
    }
    trusted = fingerprint()
    entries = [
        *(_chain(n, "audit.roots", "VaultTamperedError", found, trusted) for n, found in unchained.items()),
        *(_chain(n, "crypto.identity", "SignatureBrokenError", found, trusted) for n, found in unproved.items()),
        # Even if it is what the fingerprint says.
        *(
            _chain(n, "audit.roots", "VaultTamperedError", [found], spec.digest("fingerprint", spec.encode(found)))
            for n, found in firsts.items()
        ),
    ]
    respelled = spec.encode(first).replace(":", ": ", 1)
    trusted = spec.digest("fingerprint", respelled)
    name = "a first set in another spelling"
    return [
        *entries,
        refused(name, "formats.record", "VaultTamperedError", bodies=[respelled], fingerprint=trusted),
    ]


def _chain(name: str, layer: str, error: str, sets: list[Entry], trusted: bytes) -> Entry:
    return refused(name, layer, error, bodies=[spec.encode(found) for found in sets], fingerprint=trusted)


def heads() -> list[Entry]:
    body = spec.encode(head())
    good = ADMIN.sign(spec.label("head", body))
    bodies = {
        "members in another order": replaced(body, '"seq":12,', "").replace('"roots"', '"seq":12,"roots"'),
        "an unknown member": replaced(body, '"roots":1', '"roots":1,"note":""'),
        "a missing member": replaced(body, ',"roots":1', ""),
        "no number of keys": replaced(body, ',"keys":0', ""),
        "null for the number of keys": replaced(body, '"keys":0', '"keys":null'),
        "a number with a fraction": replaced(body, '"seq":12', '"seq":12.0'),
        "a space within": replaced(body, '"seq":12', '"seq": 12'),
    }
    proofs = {
        "another generation": (replaced(body, '"generation":7', '"generation":8'), good),
        "another number of keys": (replaced(body, '"keys":0', '"keys":1'), good),
        "another trunk": (spec.encode(head(root=fixed("another trunk").hex())), good),
        "the signature of another": (body, BOB.sign(spec.label("head", body))),
        "a signature for another purpose": (body, ADMIN.sign(spec.label("roots", body))),
        "a signature over the body without label": (body, ADMIN.sign(body.encode())),
    }
    return [
        *(
            refused(
                name,
                "formats.record",
                "VaultTamperedError",
                body=found,
                signature=ADMIN.sign(spec.label("head", found)),
                sign=ADMIN.sign_public,
            )
            for name, found in bodies.items()
        ),
        *(
            refused(
                name,
                "crypto.identity",
                "SignatureBrokenError",
                body=found,
                signature=signature,
                sign=ADMIN.sign_public,
            )
            for name, (found, signature) in proofs.items()
        ),
    ]


# -- key material ------------------------------------------------------------------------------------------------------


def shares(sealer: Sealer) -> list[Entry]:
    good = (VAULT_ID, KEY_ID, "admin", 3)
    sealed = sealer.seal_to_principal("share to be changed", spec.share_context(*good), KEK, who=ADMIN)
    unlabelled = sealer.seal_to_principal(
        "a KEK bound as material", spec.material_context(VAULT_ID, KEY_ID, 1, 3), KEK, who=ADMIN
    )
    cases = {
        "of another vault": (fixed("another vault", 16).hex(), KEY_ID, "admin", 3, ADMIN, sealed),
        "of another key": (VAULT_ID, MULTI_REGION_ID, "admin", 3, ADMIN, sealed),
        "of another principal's name": (VAULT_ID, KEY_ID, "bob", 3, ADMIN, sealed),
        "of another principal's seed": (*good, BOB, sealed),
        "of an earlier KEK": (VAULT_ID, KEY_ID, "admin", 2, ADMIN, sealed),
        "bound for another purpose": (*good, ADMIN, unlabelled),
        "changed": (*good, ADMIN, flipped(sealed, -17)),
    }
    return [
        refused(
            name,
            "crypto.identity",
            "SealBrokenError",
            vault_id=vault_id,
            key_id=key_id,
            principal=principal,
            kek_number=kek,
            seed=who.seed,
            sealed=found,
        )
        for name, (vault_id, key_id, principal, kek, who, found) in cases.items()
    ]


def vault_secrets(sealer: Sealer) -> list[Entry]:
    context = spec.label("vault-secret", VAULT_ID, "admin")
    sealed = sealer.seal_to_principal("vault secret to be changed", context, VAULT_SECRET, who=ADMIN)
    cases = {
        "of another vault": (fixed("another vault", 16).hex(), "admin", ADMIN, sealed),
        "of another principal's name": (VAULT_ID, "bob", ADMIN, sealed),
        "of another principal's seed": (VAULT_ID, "admin", BOB, sealed),
        "changed": (VAULT_ID, "admin", ADMIN, flipped(sealed, -1)),
    }
    return [
        refused(
            name,
            "crypto.identity",
            "SealBrokenError",
            vault_id=vault_id,
            principal=principal,
            seed=who.seed,
            sealed=found,
        )
        for name, (vault_id, principal, who, found) in cases.items()
    ]


def access_key_shares(sealer: Sealer) -> list[Entry]:
    good = (VAULT_ID, "admin", 3)
    context = spec.access_key_share_context(*good)
    sealed = sealer.seal_to_principal("access key share to be changed", context, KEK, who=ADMIN)
    other = spec.share_context(VAULT_ID, KEY_ID, "admin", 3)
    unlabelled = sealer.seal_to_principal("a KEK bound as that of a key", other, KEK, who=ADMIN)
    cases = {
        "of another vault": (fixed("another vault", 16).hex(), "admin", 3, ADMIN, sealed),
        "of another root's name": (VAULT_ID, "bob", 3, ADMIN, sealed),
        "of another root's seed": (*good, BOB, sealed),
        "of an earlier KEK": (VAULT_ID, "admin", 2, ADMIN, sealed),
        "bound for another purpose": (*good, ADMIN, unlabelled),
        "changed": (*good, ADMIN, flipped(sealed, -17)),
    }
    return [
        refused(
            name,
            "crypto.identity",
            "SealBrokenError",
            vault_id=vault_id,
            principal=principal,
            kek_number=kek,
            seed=who.seed,
            sealed=found,
        )
        for name, (vault_id, principal, kek, who, found) in cases.items()
    ]


def access_keys() -> list[Entry]:
    good = (VAULT_ID, ACCESS_KEY_ID, "bob", 3)
    salt, secret = fixed("salt of an access key", 24), ACCESS_KEY_SECRET.encode()
    sealed = spec.seal(KEK, spec.access_key_context(*good), secret, salt=salt)
    other_id = spec.access_key_id(fixed("another access key id", 10))
    other_purpose = spec.label("material", *good[:3], spec.u32(3))
    cases = {
        "of another vault": (fixed("another vault", 16).hex(), ACCESS_KEY_ID, "bob", 3, KEK, sealed),
        "of another id": (VAULT_ID, other_id, "bob", 3, KEK, sealed),
        "of another principal": (VAULT_ID, ACCESS_KEY_ID, "ci", 3, KEK, sealed),
        "of another KEK's number": (VAULT_ID, ACCESS_KEY_ID, "bob", 2, KEK, sealed),
        "of another KEK": (*good, MATERIAL, sealed),
        "bound for another purpose": (*good, KEK, spec.seal(KEK, other_purpose, secret, salt=salt)),
        "changed": (*good, KEK, flipped(sealed, 56)),
    }
    return [
        refused(
            name,
            "crypto.seal",
            "SealBrokenError",
            vault_id=vault_id,
            access_key_id=key_id,
            principal=principal,
            kek_number=number,
            kek=kek,
            sealed=found,
        )
        for name, (vault_id, key_id, principal, number, kek, found) in cases.items()
    ]


def materials() -> list[Entry]:
    good = (VAULT_ID, KEY_ID, 2, 3)
    sealed = spec.seal(KEK, spec.material_context(*good), MATERIAL, salt=fixed("salt of material", 24))
    cases = {
        "of another vault": (fixed("another vault", 16).hex(), KEY_ID, 2, 3, KEK, sealed),
        "of another key": (VAULT_ID, MULTI_REGION_ID, 2, 3, KEK, sealed),
        "of another version": (VAULT_ID, KEY_ID, 1, 3, KEK, sealed),
        "of another KEK's number": (VAULT_ID, KEY_ID, 2, 2, KEK, sealed),
        "version and KEK swapped": (VAULT_ID, KEY_ID, 3, 2, KEK, sealed),
        "of another KEK": (*good, MATERIAL, sealed),
        "changed": (*good, KEK, flipped(sealed, 56)),
    }
    return [
        refused(
            name,
            "crypto.seal",
            "SealBrokenError",
            vault_id=vault_id,
            key_id=key_id,
            version=version,
            kek_number=number,
            kek=kek,
            sealed=found,
        )
        for name, (vault_id, key_id, version, number, kek, found) in cases.items()
    ]


# -- lines -------------------------------------------------------------------------------------------------------------


def _signed(before: str, *, who: spec.Principal = ADMIN, signed: bytes | None = None) -> str:
    """A line whose bytes before the signature are `before`, whatever they are."""
    message = spec.label("audit", bytes.fromhex(VAULT_ID), before.encode("utf-8", "surrogateescape"))
    value = spec.base64_text(who.sign(message if signed is None else signed))
    return f'{before},"signature":{{"signer":"admin","value":"{value}"}}}}'


def lines() -> list[Entry]:
    before = spec.encode(event())[:-1]
    good = _signed(before)
    value = good[good.rindex('"value":"') + 9 : -3]
    end = good[good.rindex(',"signature":') :]
    misspelled = {
        "a space within": replaced(before, '"seq":7', '"seq": 7'),
        "a member twice": replaced(before, '"readOnly":true', '"readOnly":true,"readOnly":true'),
        "a member twice, another value first": replaced(before, '"readOnly":true', '"readOnly":false,"readOnly":true'),
        "a member of a request twice": replaced(before, '"alias/app"', '"alias/app","keyId":"alias/app"'),
        "a character escaped without need": replaced(before, '"Encrypt"', '"Encr\\u0079pt"'),
        "a slash escaped": replaced(before, '"alias/app"', '"alias\\/app"'),
        "a lone surrogate, escaped": replaced(before, '"alias/app"', '"\\ud800"'),
        "bytes that are not UTF-8": replaced(before, '"alias/app"', '"\udcff"'),
        "a number with an exponent": replaced(before, '"seq":7', '"seq":7e0'),
        "a number with a fraction": replaced(before, '"seq":7', '"seq":7.0'),
        "a number as a string": replaced(before, '"seq":7', '"seq":"7"'),
        "not a number": replaced(before, '"readOnly":true', '"readOnly":NaN'),
        "no number": replaced(before, '"seq":7,', ""),
        "no chain": before[: before.index(',"chain"')],
        "no vault": replaced(before, before[before.index('"vault"') : before.index('"chain"')], ""),
        "a time without zone": replaced(before, "12:00:00Z", "12:00:00"),
        "a time that never was": replaced(before, "2026-03-01", "2026-02-29"),
        "a second signature before the last": before + end[:-1],
    }
    shapes = {
        "nothing": "",
        "an empty object": "{}",
        "null": "null",
        "a list": f"[{good}]",
        "no signature": before + "}",
        "the last byte cut off": good[:-1],
        "cut in the middle": good[: len(good) // 2],
        "a newline behind it": good + "\n",
        "a space behind it": good + " ",
        "a line behind it": good + good,
        "a member behind the signature": good[:-1] + ',"note":1}',
        "an unknown member of the signature": good[:-2] + ',"note":1}}',
        "a signature with its members in another order": before
        + f',"signature":{{"value":"{value}","signer":"admin"}}}}',
        "a signature with bits behind its last byte": replaced(good, value, _trailing_two(value)),
        "a signature without padding": replaced(good, value, value.rstrip("=")),
        "a signature without value": replaced(good, f',"value":"{value}"', ""),
        "nesting without end": "[" * 5000,
    }
    unproved = {
        "another member": replaced(good, '"Encrypt"', '"Decrypt"'),
        "a member less": replaced(good, '"resources":[],', ""),
        "the signature of another": _signed(before, who=BOB),
        "a signature for another vault": _signed(before, signed=spec.audit_signed(fixed("other", 16).hex(), before)),
        "a signature for another purpose": _signed(before, signed=spec.label("head", before)),
        "a signature over the line without label": _signed(before, signed=before.encode()),
        "a signature over the vault's id in hex": _signed(before, signed=spec.label("audit", VAULT_ID, before)),
    }
    parts = {"vault_id": VAULT_ID, "sign": ADMIN.sign_public}
    spelled = {name: _signed(found) for name, found in misspelled.items()} | shapes
    return [
        *(refused(n, "formats.auditline", "AuditTamperedError", **parts, line=found) for n, found in spelled.items()),
        *(refused(n, "crypto.identity", "SignatureBrokenError", **parts, line=found) for n, found in unproved.items()),
    ]


def _trailing_two(text: str) -> str:
    """Another base64 of the same 64 bytes: a bit set that no byte has."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    changed = text[:-3] + alphabet[alphabet.index(text[-3]) + 1] + "=="
    if base64.b64decode(changed) != base64.b64decode(text):
        raise ValueError(text)
    return changed


# -- whole logs --------------------------------------------------------------------------------------------------------

Change = dict[tuple[str, str], str | None]


def _with_bob() -> Story:
    log, sets = Story(), [spec.encode(first_set())]
    log.add(ADMIN, "admin", {("principal", "admin"): spec.encode(principal_record())}, {"roots": sets})
    log.add(ADMIN, "admin", _bob())
    return log


def _bob(**members: Any) -> Change:
    return {("principal", "bob"): spec.encode(bob_record(**members))}


def _known(state: str = "enabled") -> Entry:
    return {"name": "bob", "state": state, "sign": BOB.sign_public}


def logs() -> list[Entry]:
    sets = [spec.encode(first_set())]
    eve = {("principal", "eve"): spec.encode(bob_record(name="eve", sign=EVE.sign_public, seal=EVE.sealing.public))}
    alias: Change = {("alias", "alias/a"): "{}"}
    body = spec.encode(bob_record())
    other = spec.encode(bob_record(tags=[["a", "b"]]))
    lacking = "it does not carry the principals and sets of roots that it writes"
    repeats = "its principals are not those known before it"
    second, third = spec.encode(second_set()), spec.encode(third_set())
    forged = spec.encode(spec.signed_root_set(spec.root_set(VAULT_ID, 2, {"admin": ADMIN, "bob": BOB}), "admin", EVE))
    cases: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
        "a stranger": ("it was signed by 'eve', who is no principal of the vault", [(EVE, "eve")]),
        "a stranger, under the name of bob": ("its signature does not hold", [(EVE, "bob")]),
        "a change by who is no root": (
            "it changes records, and was signed by 'bob', who is no root",
            [(BOB, "bob", alias)],
        ),
        "keys that who is no root tells of": (
            "it changes records, and was signed by 'bob', who is no root",
            [(BOB, "bob", eve)],
        ),
        "keys told of by a line that changes nothing": (
            "it changes nothing, but tells of new keys",
            [(BOB, "bob", None, None, {"principals": [body]})],
        ),
        "a line after the signer was disabled": (
            "it was signed by 'bob', who is disabled",
            [(ADMIN, "admin", _bob(state="disabled")), (BOB, "bob")],
        ),
        "a line after the signer was deleted": (
            "it was signed by 'bob', who is no principal of the vault",
            [(ADMIN, "admin", {("principal", "bob"): None}), (BOB, "bob")],
        ),
        "a line by the key before a renewal": (
            "its signature does not hold",
            [(ADMIN, "admin", _bob(sign=EVE.sign_public)), (BOB, "bob")],
        ),
        "a principal written without its body": (lacking, [(ADMIN, "admin", eve, None, {"principals": []})]),
        "another body than is written": (
            lacking,
            [(ADMIN, "admin", _bob(state="disabled"), None, {"principals": [other]})],
        ),
        "a body of somebody who is not written": (lacking, [(ADMIN, "admin", alias, None, {"principals": [body]})]),
        "a body twice": (
            "its principals are not listed in order",
            [(ADMIN, "admin", _bob(state="disabled"), None, {"principals": [body, body]})],
        ),
        "a body that is none": (
            "it carries what is no PrincipalRecord",
            [(ADMIN, "admin", _bob(state="disabled"), None, {"principals": ["{}"]})],
        ),
        "a root whom the roots do not name": (
            "its principal 'bob' is not what the roots say",
            [(ADMIN, "admin", _bob(root=True))],
        ),
        "a root who is said to be none": (
            "its principal 'admin' is not what the roots say",
            [(ADMIN, "admin", {("principal", "admin"): spec.encode(principal_record() | {"root": False})})],
        ),
        "a segment that leaves a principal out": (repeats, [(BOB, "bob", None, {"roots": sets})]),
        "a segment that says a principal is disabled": (
            repeats,
            [(ADMIN, "admin", None, {"roots": sets, "principals": [_known("disabled")]})],
        ),
        "a segment that introduces somebody": (
            repeats,
            [(BOB, "bob", None, {"roots": sets, "principals": [_known(), _known() | {"name": "eve"}]})],
        ),
        "a segment that introduces roots": (
            "its chain of roots is not the one known before it",
            [(ADMIN, "admin", None, {"roots": [*sets, second], "principals": [_known()]})],
        ),
        "roots that nobody of the set before signed": (
            "its set of roots does not hold: a signature does not hold",
            [(ADMIN, "admin", {("roots", "2"): forged})],
        ),
        "roots that do not follow": (
            "its set of roots does not hold: its sets of roots do not follow each other",
            [(ADMIN, "admin", {("roots", "3"): third})],
        ),
        "roots under another number": (lacking, [(ADMIN, "admin", {("roots", "3"): second})]),
    }
    return [_log(name, reason, lines) for name, (reason, lines) in cases.items()]


def _log(name: str, reason: str, lines: list[tuple[Any, ...]]) -> Entry:
    log = _with_bob()
    for who, signer, *rest in lines:
        change, segment, members = [*rest, None, None, None][:3]
        log.add(who, signer, change, segment, **(members or {}))
    return refused(
        name,
        "audit.signers",
        "AuditTamperedError",
        fingerprint=fingerprint(),
        lines=log.lines,
        seq=len(log.lines),
        reason=reason,
    )
