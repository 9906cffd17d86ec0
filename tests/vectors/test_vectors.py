"""Every vector of `data/`, given to kmscli; `generate.py` says what they are and where they come from."""

import io
import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from kmscli import errors
from kmscli.audit import roots
from kmscli.audit.replay import Replay
from kmscli.audit.signatures import Here
from kmscli.audit.verify import Verifier
from kmscli.crypto import identity, kdf, registry, seal
from kmscli.crypto.identity import Identity, SealingKey
from kmscli.crypto.keypair import Pair
from kmscli.envelope import decrypting, encrypting
from kmscli.errors import KmsError
from kmscli.formats import (
    auditline,
    blob,
    context,
    custodianshare,
    head,
    importtoken,
    joining,
    keyfile,
    message,
    record,
    slot,
    tree,
    wire,
)
from kmscli.formats.auditline import RecordChange
from kmscli.formats.custodianshare import CustodianShare
from kmscli.formats.head import Head
from kmscli.formats.importtoken import ImportToken
from kmscli.formats.message import EncryptedDataKey
from kmscli.formats.record import (
    AccessKeyRecord,
    AccessKeyShareRecord,
    KeyRecord,
    ShareRecord,
    VaultSecretRecord,
    VersionRecord,
)
from kmscli.model.specs import KEY_SPECS
from kmscli.service import imports, materials
from kmscli.storage.sqlite import Row, Store
from kmscli.vault import accesskeys, custodians, shares, slots, snapshot
from kmscli.vault.records import Records
from kmscli.vault.secrets import Secret, Shares, from_files
from tests.vectors import generate
from tests.vectors.made import key_record
from tests.vectors.spec import encode

Decorator = Callable[[Callable[..., None]], Callable[..., None]]
USED: Counter[str] = Counter()
"""Name of a file -> how many tests read it."""


class Vector:
    """One entry; it notices which of its members a test used."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members
        self.unused = set(members) - {"name"}

    def __getitem__(self, member: str) -> Any:
        self.unused.discard(member)
        return self._members[member]

    def raw(self, member: str) -> bytes:
        """A member that is bytes."""
        return bytes.fromhex(self[member])

    def text(self, member: str) -> bytes:
        """The bytes of a member that is text in a vault."""
        text: str = self[member]
        return text.encode("utf-8", "surrogateescape")


def entries_of(name: str) -> list[dict[str, Any]]:
    """The entries of a file."""
    found: list[dict[str, Any]] = json.loads((generate.DATA / f"{name}.json").read_text())["vectors"]
    return found


def vectors(name: str) -> Decorator:
    """The test is to be run with each entry of a file."""
    USED[name] += 1
    return pytest.mark.parametrize("vector", [pytest.param(Vector(e), id=e["name"]) for e in entries_of(name)])


@pytest.fixture(autouse=True)
def _whole_entry(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test uses every member of its entry."""
    vector = request.node.callspec.params.get("vector") if hasattr(request.node, "callspec") else None
    yield
    if vector:
        assert vector.unused == set()


def refused(vector: Vector, use: Callable[[], object]) -> None:
    """`use` ends in the error that the entry names, raised in the layer that it names."""
    with pytest.raises(KmsError) as caught:
        use()
    modules = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [module for module in modules if module.startswith("kmscli.")]
    assert (vector["error"], f"kmscli.{vector['layer']}") == (type(caught.value).__name__, ours[-1])


# -- the files ---------------------------------------------------------------------------------------------------------


def files() -> list[Path]:
    return sorted(generate.DATA.iterdir())


def test_every_file_of_vectors_is_read_by_one_test() -> None:
    assert {path.name: 1 for path in files()} == {f"{name}.json": count for name, count in USED.items()}


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_each_entry_of_a_file_has_a_name_of_its_own(path: Path) -> None:
    names = [entry["name"] for entry in entries_of(path.stem)]
    assert names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_no_two_entries_of_a_file_are_alike_but_for_their_names(path: Path) -> None:
    contents = [json.dumps(entry | {"name": "", "layer": "", "error": ""}) for entry in entries_of(path.stem)]
    assert len(set(contents)) == len(contents)


def test_the_files_are_what_the_second_implementation_makes() -> None:
    made = generate.files(generate.kept_entries())
    assert {path.name for path in files()} == set(made)
    for path in files():
        assert path.read_text() == made[path.name], path.name


# -- notation ----------------------------------------------------------------------------------------------------------


@vectors("label")
def test_a_label_and_its_digest_are_as_specified(vector: Vector) -> None:
    purpose, parts = vector["purpose"], [bytes.fromhex(part) for part in vector["parts"]]
    assert wire.label(purpose, *parts) == vector.raw("label")
    assert wire.digest(purpose, *parts) == vector.raw("digest")


@vectors("expand")
def test_a_secret_expands_as_specified(vector: Vector) -> None:
    assert kdf.expand(vector.raw("secret"), vector.raw("info"), vector["length"]) == vector.raw("output")


@vectors("seal")
def test_sealed_bytes_open(vector: Vector) -> None:
    opened = seal.unseal(vector.raw("key"), vector.raw("sealed"), context=vector.raw("context"))
    assert opened == vector.raw("plaintext")


@vectors("rejected-seal")
def test_other_sealed_bytes_are_refused(vector: Vector) -> None:
    key, sealed, bound = vector.raw("key"), vector.raw("sealed"), vector.raw("context")
    refused(vector, lambda: seal.unseal(key, sealed, context=bound))


@vectors("hpke")
def test_bytes_sealed_to_a_public_key_open(vector: Vector) -> None:
    pair = SealingKey(vector.raw("secret"), vector.raw("label"))
    assert pair.open(vector.raw("sealed"), context=vector.raw("context")) == vector.raw("plaintext")


@vectors("rejected-hpke")
def test_other_bytes_sealed_to_a_public_key_are_refused(vector: Vector) -> None:
    who, sealed, bound = Identity(vector.raw("seed")), vector.raw("sealed"), vector.raw("context")
    refused(vector, lambda: who.open(sealed, context=bound))


@vectors("rejected-signature")
def test_other_signatures_are_refused(vector: Vector) -> None:
    public, message, signature = vector.raw("public"), vector.raw("message"), vector.raw("signature")
    refused(vector, lambda: identity.verify(public, message, signature))


# -- identities, keyfiles, slots ---------------------------------------------------------------------------------------


@vectors("identity")
def test_a_seed_gives_the_keys_of_a_principal(vector: Vector) -> None:
    seed = vector.raw("seed")
    who = Identity(seed)
    assert kdf.expand(seed, b"kms/v1/identity/ml-kem-768", 64) == vector.raw("ml_kem_768_seed")
    assert kdf.expand(seed, b"kms/v1/identity/x25519", 32) == vector.raw("x25519_private")
    assert kdf.expand(seed, b"kms/v1/identity/ed25519", 32) == vector.raw("ed25519_private")
    assert who.seal_public == vector.raw("seal")
    assert who.sign_public == vector.raw("sign")


@vectors("keyfile")
def test_a_keyfile_is_read_and_written(vector: Vector) -> None:
    secret = vector.raw("secret")
    assert keyfile.decode(vector.text("file"), path="file") == secret
    assert keyfile.encode(secret) == vector.text("line") + b"\n"


@vectors("rejected-keyfile")
def test_what_is_no_keyfile_is_refused(vector: Vector) -> None:
    data = vector.text("file")
    refused(vector, lambda: keyfile.decode(data, path="file"))


@vectors("slot-keys")
def test_a_secret_gives_the_keys_of_a_slot(vector: Vector) -> None:
    salt, secret, passphrase = vector.raw("salt"), vector.raw("secret"), vector["passphrase"]
    cost = None if vector["kdf"] is None else kdf.Cost(**vector["kdf"])
    given = Secret("keyfile", secret) if passphrase is None else Secret.passphrase(passphrase.encode())
    if cost:
        assert kdf.stretch(given.value, salt=salt, cost=cost) == secret
    keys = slots._keys(given, salt, cost)
    assert keys.anchor == vector.raw("anchor_key")
    assert keys.sealing.public == vector.raw("public")


def secret_of(vector: Vector) -> Secret:
    passphrase, line = vector["passphrase"], vector["keyfile"]
    if line is None:
        return Secret.passphrase(passphrase.encode())
    return Secret.keyfile(line.encode(), path="file")


@vectors("slot")
def test_a_slot_opens_with_its_secret(vector: Vector) -> None:
    found = slot.decode(vector.text("body"))
    opened = slots.open_slot(found, secret_of(vector))
    assert opened is not None
    assert opened.vault_id == vector["vault_id"]
    assert opened.fingerprint == vector.raw("fingerprint")
    assert opened.identity.seed == vector.raw("seed")
    assert slot.encode(found) == vector.text("body")


@vectors("slot-closed")
def test_a_slot_does_not_open_with_the_secret_of_another(vector: Vector) -> None:
    assert slots.open_slot(slot.decode(vector.text("body")), secret_of(vector)) is None


@vectors("rejected-slot")
def test_a_slot_that_was_changed_is_refused(vector: Vector) -> None:
    body, secret = vector.text("body"), secret_of(vector)
    refused(vector, lambda: slots.open_slot(slot.decode(body), secret))


@vectors("custodian-share")
def test_the_share_of_a_custodian_is_read_and_written(vector: Vector) -> None:
    share = CustodianShare(vector["slot_id"], vector["custodian"], vector.raw("share"))
    assert custodianshare.decode(vector.text("file"), path="file") == share
    assert custodianshare.encode(share) == vector.text("line") + b"\n"


@vectors("rejected-custodian-share")
def test_what_is_no_share_of_a_custodian_is_refused(vector: Vector) -> None:
    data = vector.text("file")
    refused(vector, lambda: custodianshare.decode(data, path="file"))


def open_together(vector: Vector) -> tuple[slot.Slot, Secret]:
    """The slot of admin that some files open, and its secret."""
    body, lines = vector.text("body"), vector["files"]
    shares = from_files([(f"file {number}", line.encode()) for number, line in enumerate(lines)])
    assert isinstance(shares, Shares)
    return custodians.combine([slot.decode(body)], shares, "admin")


@vectors("custodians")
def test_custodians_open_a_slot_together(vector: Vector) -> None:
    found, secret = open_together(vector)
    assert secret.value == vector.raw("secret")
    opened = slots.open_slot(found, secret)
    assert opened is not None
    assert (opened.vault_id, opened.fingerprint) == (vector["vault_id"], vector.raw("fingerprint"))
    assert opened.identity.seed == vector.raw("seed")
    slots.check_proof(found, opened.identity.sign_public, vault_id=opened.vault_id)
    assert slot.encode(found) == vector.text("body")


@vectors("rejected-custodians")
def test_custodians_that_do_not_fit_a_slot_are_refused(vector: Vector) -> None:
    refused(vector, lambda: open_together(vector))


# -- roots and records -------------------------------------------------------------------------------------------------


@vectors("roots")
def test_a_chain_of_roots_holds(vector: Vector) -> None:
    bodies = [body.encode() for body in vector["bodies"]]
    assert roots.fingerprint(bodies[0]) == vector.raw("fingerprint")
    in_force = roots.check_chain(bodies, vector.raw("fingerprint"))
    assert in_force.number == vector["number"]
    assert [key.principal for key in in_force.roots] == vector["roots"]


@vectors("rejected-roots")
def test_another_chain_of_roots_is_refused(vector: Vector) -> None:
    bodies, trusted = [body.encode() for body in vector["bodies"]], vector.raw("fingerprint")
    refused(vector, lambda: roots.check_chain(bodies, trusted))


@vectors("record")
def test_a_record_is_read_written_and_digested(vector: Vector) -> None:
    kind, record_id, body = vector["kind"], vector["id"], vector.text("body")
    value = record.decode(body, record.KINDS[kind])
    assert record.encode(value) == body
    assert record.group_of(kind, record_id) == vector["group"]
    assert record.record_digest(kind, record_id, body) == vector.raw("digest")


def test_there_is_a_vector_for_each_kind_of_record() -> None:
    assert {entry["kind"] for entry in entries_of("record")} == set(record.KINDS)


@vectors("rejected-record")
def test_a_body_that_is_not_the_one_encoding_is_refused(vector: Vector) -> None:
    shape, body = record.KINDS[vector["kind"]], vector.text("body")
    refused(vector, lambda: record.decode(body, shape))


class OneGroup:
    """A store that holds one group, and the tree above it."""

    def __init__(self, group: str, rows: list[Row]) -> None:
        self._name, self._rows = group, rows
        bucket = tree.bucket_of(group)
        branch = bucket // tree.FANOUT
        self._number = bucket
        digest = tree.group_digest(group, ((row.kind, row.id, row.digest) for row in rows))
        self._bucket = [(group, digest)] if rows else []
        children = tree.with_child(tree.EMPTY_NODE, bucket % tree.FANOUT, tree.bucket_digest(bucket, self._bucket))
        trunk = tree.with_child(tree.EMPTY_NODE, branch, tree.node_digest(branch, children))
        self._nodes = {branch: children, tree.TRUNK: trunk}

    def node(self, number: int) -> bytes | None:
        return self._nodes.get(number)

    def bucket(self, number: int) -> list[tuple[str, bytes]]:
        return self._bucket if number == self._number else []

    def group(self, name: str) -> list[Row]:
        return self._rows if name == self._name else []


def read(vector: Vector) -> list[list[str]]:
    """Kind, id and body of the records of the vector's group, proved under its trunk."""
    rows = [Row(kind, rid, body.encode(), bytes.fromhex(value)) for kind, rid, body, value in vector["rows"]]
    records = Records(cast("Store", OneGroup(vector["group"], rows)), vector["trunk"])
    return [[row.kind, row.id, row.body.decode()] for row in records.group(vector["group"]).values()]


@vectors("reading")
def test_a_group_is_read_under_its_trunk(vector: Vector) -> None:
    assert read(vector) == [row[:3] for row in vector["rows"]]


@vectors("rejected-reading")
def test_a_group_that_is_not_the_signed_one_is_refused(vector: Vector) -> None:
    refused(vector, lambda: read(vector))


# -- tree and head -----------------------------------------------------------------------------------------------------


@vectors("bucket-of")
def test_a_group_falls_into_its_bucket(vector: Vector) -> None:
    assert tree.bucket_of(vector["group"]) == vector["bucket"]


@vectors("group")
def test_a_group_has_its_digest(vector: Vector) -> None:
    records = [(kind, record_id, bytes.fromhex(value)) for kind, record_id, value in vector["records"]]
    assert tree.group_digest(vector["group"], records) == vector.raw("digest")


@vectors("bucket")
def test_a_bucket_has_its_digest(vector: Vector) -> None:
    groups = [(name, bytes.fromhex(value)) for name, value in vector["groups"]]
    assert tree.bucket_digest(vector["number"], groups) == vector.raw("digest")


@vectors("node")
def test_a_node_has_its_digest(vector: Vector) -> None:
    assert tree.node_digest(vector["number"], vector.raw("children")) == vector.raw("digest")


@vectors("tree")
def test_changes_lead_to_the_digest_of_the_trunk(vector: Vector) -> None:
    replay = Replay()
    changes = [msgspec.convert(change, tuple[RecordChange, ...]) for change in vector["changes"]]
    assert [replay.apply(change) for change in changes] == vector["trunks"]


@vectors("head")
def test_a_head_is_written_and_signed(vector: Vector) -> None:
    value = msgspec.convert(vector["members"], Head)
    body, signature = snapshot.sign_head(value, Identity(vector.raw("seed")))
    assert body == vector.text("body")
    assert record.decode(body, Head) == value
    assert head.signed_bytes(body) == vector.raw("signed_bytes")
    assert signature == vector.raw("signature")


@vectors("rejected-head")
def test_another_head_is_refused(vector: Vector) -> None:
    body, sign, signature = vector.text("body"), vector.raw("sign"), vector.raw("signature")

    def read() -> None:
        record.decode(body, Head)
        identity.verify(sign, head.signed_bytes(body), signature)

    refused(vector, read)


# -- joining -----------------------------------------------------------------------------------------------------------


def opened(body: bytes, secret: str, seed: bytes) -> str:
    """Whose the slot is that opens to `seed`, and that proves its public key by the identity of it."""
    found = slot.decode(body)
    inside = slots.open_slot(found, Secret.keyfile(secret.encode(), path="keyfile"))
    assert inside is not None
    assert seed == inside.identity.seed
    assert found.proof == inside.identity.sign(slot.proof_bytes(found, inside.vault_id))
    return found.principal


@vectors("join")
def test_a_request_to_join_is_written_signed_and_read(vector: Vector) -> None:
    content, who = vector.text("file"), Identity(vector.raw("seed"))
    found = joining.decode_join(content, path="file")
    assert joining.encode(found) == content
    assert (who.sign_public, who.seal_public) == (found.sign, found.seal)
    assert who.sign(joining.join_bytes(found)) == found.signature
    assert joining.key_fingerprint(found.sign, found.seal) == vector["key_fingerprint"]
    assert opened(found.slot, vector["keyfile"], who.seed) == found.name


@vectors("renewal")
def test_a_request_for_a_new_identity_is_written_signed_and_read(vector: Vector) -> None:
    content, who = vector.text("file"), Identity(vector.raw("seed"))
    found = joining.decode_renewal(content, path="file")
    assert joining.encode(found) == content
    assert (vector.raw("old"), who.sign_public, who.seal_public) == (found.old, found.sign, found.seal)
    identity.verify(found.old, joining.approval_bytes(found), found.approval)
    assert who.sign(joining.renewal_bytes(found)) == found.signature
    secret = vector["keyfile"]
    assert {opened(body, secret, who.seed) for body in found.slots} == {found.name}


# -- key material ------------------------------------------------------------------------------------------------------


def key_of(vector: Vector) -> KeyRecord:
    members = key_record(key_id=vector["key_id"], kek=vector["kek_number"])
    return record.decode(encode(members).encode(), KeyRecord)


def open_share(vector: Vector) -> bytes:
    share = ShareRecord(
        key_id=vector["key_id"],
        principal=vector["principal"],
        kek=vector["kek_number"],
        sealed=vector.raw("sealed"),
    )
    return shares.open_share(share, Identity(vector.raw("seed")), vault_id=vector["vault_id"])


@vectors("share")
def test_a_share_opens_to_the_kek(vector: Vector) -> None:
    assert open_share(vector) == vector.raw("kek")


@vectors("rejected-share")
def test_the_share_of_another_is_refused(vector: Vector) -> None:
    refused(vector, lambda: open_share(vector))


def open_vault_secret(vector: Vector) -> bytes:
    found = VaultSecretRecord(principal=vector["principal"], sealed=vector.raw("sealed"))
    return shares.open_vault_secret(found, Identity(vector.raw("seed")), vault_id=vector["vault_id"])


@vectors("vault-secret")
def test_a_root_opens_the_vault_secret(vector: Vector) -> None:
    assert open_vault_secret(vector) == vector.raw("vault_secret")


@vectors("rejected-vault-secret")
def test_the_vault_secret_of_another_is_refused(vector: Vector) -> None:
    refused(vector, lambda: open_vault_secret(vector))


def open_access_key_share(vector: Vector) -> bytes:
    found = AccessKeyShareRecord(principal=vector["principal"], kek=vector["kek_number"], sealed=vector.raw("sealed"))
    return accesskeys.open_share(found, Identity(vector.raw("seed")), vault_id=vector["vault_id"])


@vectors("access-key-share")
def test_a_root_opens_the_kek_of_access_keys(vector: Vector) -> None:
    assert open_access_key_share(vector) == vector.raw("kek")


@vectors("rejected-access-key-share")
def test_the_share_of_another_root_is_refused(vector: Vector) -> None:
    refused(vector, lambda: open_access_key_share(vector))


def open_access_key(vector: Vector) -> str:
    found = AccessKeyRecord(
        access_key_id=vector["access_key_id"],
        principal=vector["principal"],
        status="Active",
        created=datetime(2026, 3, 1, tzinfo=UTC),
        kek=vector["kek_number"],
        sealed=vector.raw("sealed"),
    )
    return accesskeys.open_secret(vector.raw("kek"), found, vault_id=vector["vault_id"]).value


@vectors("access-key")
def test_an_access_key_is_made_of_random_bytes_and_opens_to_its_secret(vector: Vector) -> None:
    assert accesskeys.new_id(lambda _: vector.raw("random_id")) == vector["access_key_id"]
    assert accesskeys.new_secret(lambda _: vector.raw("random_secret")).value == vector["secret"]
    assert open_access_key(vector) == vector["secret"]


@vectors("rejected-access-key")
def test_the_secret_of_another_access_key_is_refused(vector: Vector) -> None:
    refused(vector, lambda: open_access_key(vector))


def open_material(vector: Vector) -> bytes:
    key = key_of(vector)
    version = VersionRecord(
        key_id=key.key_id,
        number=vector["version"],
        created=key.created,
        material_id="",
        sealed=vector.raw("sealed"),
    )
    return shares.open_material(vector.raw("kek"), key, version, vault_id=vector["vault_id"])


@vectors("material")
def test_a_version_opens_to_its_material(vector: Vector) -> None:
    assert open_material(vector) == vector.raw("material")


@vectors("rejected-material")
def test_the_material_of_another_version_is_refused(vector: Vector) -> None:
    refused(vector, lambda: open_material(vector))


@vectors("material-id")
def test_a_material_has_its_id(vector: Vector) -> None:
    found = shares.material_id(vector.raw("vault_secret"), vector["key_id"], vector.raw("material"))
    assert found == vector["material_id"]


@vectors("pair")
def test_a_key_pair_has_one_encoding_however_it_was_brought(vector: Vector) -> None:
    spec, expected = vector["key_spec"], Pair(vector.raw("private"), vector.raw("public"))
    for other in vector["imported"]:
        assert registry.read_private(spec, bytes.fromhex(other)) == expected
    registry.private_key(spec, expected.private)
    registry.public_key(spec, expected.public)


def test_there_is_a_pair_for_each_family_and_each_spec_but_the_sizes_of_rsa() -> None:
    found = {entry["key_spec"] for entry in entries_of("pair")}
    assert found == {name for name, row in KEY_SPECS.items() if row.asymmetric} - {"RSA_3072", "RSA_4096"}


# -- import tokens -----------------------------------------------------------------------------------------------------


def open_token(vector: Vector, monkeypatch: pytest.MonkeyPatch) -> ImportToken:
    """The token as ImportKeyMaterial opens it, in a vault with the vector's id and secret."""
    secret = vector.raw("vault_secret")
    monkeypatch.setattr(materials, "vault_secret", lambda _: secret)
    vault = SimpleNamespace(vault=SimpleNamespace(vault_id=vector["vault_id"]))
    call = SimpleNamespace(now=datetime.fromisoformat(vector["now"]), records=vault)
    key = record.decode(encode(key_record(key_id=vector["key_id"])).encode(), KeyRecord)
    return imports._opened_token(cast("Any", call), key, vector.raw("token"))


@vectors("import-token")
def test_a_token_opens_to_its_wrapping_key(vector: Vector, monkeypatch: pytest.MonkeyPatch) -> None:
    found = open_token(vector, monkeypatch)
    assert msgspec.to_builtins(found) == msgspec.to_builtins(
        ImportToken(
            algorithm=vector["members"]["algorithm"],
            private=bytes.fromhex(vector["members"]["private"]),
            valid_to=datetime.fromisoformat(vector["members"]["valid_to"]),
        )
    )
    assert importtoken.encode(found) == vector.text("body")


@vectors("rejected-import-token")
def test_another_token_is_refused(vector: Vector, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(vector, lambda: open_token(vector, monkeypatch))


# -- blobs and lines ---------------------------------------------------------------------------------------------------


@vectors("context")
def test_an_encryption_context_has_one_canonical_form(vector: Vector) -> None:
    assert context.canonical(vector["context"]) == vector.raw("canonical")


@vectors("rejected-context")
def test_an_encryption_context_that_has_no_canonical_form_is_refused(vector: Vector) -> None:
    given = vector["context"]
    refused(vector, lambda: context.canonical(given))


def open_blob(vector: Vector) -> bytes:
    material, canonical = vector.raw("material"), context.canonical(vector["encryption_context"])
    parsed = blob.parse(vector.raw("blob"))
    return seal.unseal(material, parsed.sealed, context=blob.sealing_context(parsed.header, canonical))


@vectors("blob")
def test_a_blob_names_what_made_it_and_opens(vector: Vector) -> None:
    parsed = blob.parse(vector.raw("blob"))
    assert (parsed.key_id, parsed.version) == (vector["key_id"], vector["version"])
    assert blob.header(parsed.key_id, parsed.version) == parsed.header == vector.raw("header")
    assert open_blob(vector) == vector.raw("plaintext")


@vectors("rejected-blob")
def test_what_is_no_blob_of_this_material_and_context_is_refused(vector: Vector) -> None:
    refused(vector, lambda: open_blob(vector))


def open_message(vector: Vector, *, legacy: bool) -> bytes:
    source, sink, data_key = io.BytesIO(vector.raw("message")), io.BytesIO(), vector.raw("data_key")
    header = decrypting.open_header(source, legacy=legacy)
    decrypting.decrypt(source, sink, header, data_key, held=True)
    return sink.getvalue()


@vectors("message")
def test_a_message_opens_to_what_is_in_it(vector: Vector) -> None:
    header = message.read_header(io.BytesIO(vector.raw("message")), legacy=True)
    keys = tuple(EncryptedDataKey(name, bytes.fromhex(i), bytes.fromhex(c)) for name, i, c in vector["keys"])
    assert (vector["suite"], vector.raw("message_id")) == (header.suite.name, header.message_id)
    assert (vector["context"], keys) == (header.encryption_context, header.data_keys)
    assert vector["frame_length"] == header.frame_length
    assert vector.raw("plaintext") == open_message(vector, legacy=True)


WRITTEN = [
    entry
    for entry in entries_of("message")
    if (entry["suite"], entry["frame_length"]) == ("0x0478", 16) and entry["name"] != "a full final frame"
]


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry["name"])
def test_a_message_is_written_as_the_specification_says(entry: dict[str, Any]) -> None:
    data_key, message_id = bytes.fromhex(entry["data_key"]), bytes.fromhex(entry["message_id"])
    draft = encrypting.prepare(entry["context"], rng=lambda _: message_id, data_key=data_key)
    keys = [EncryptedDataKey(name, bytes.fromhex(info), bytes.fromhex(sealed)) for name, info, sealed in entry["keys"]]
    source, sink = io.BytesIO(bytes.fromhex(entry["plaintext"])), io.BytesIO()
    encrypting.encrypt(source, sink, draft, data_keys=keys, frame_length=16)
    assert entry["message"] == sink.getvalue().hex()


@vectors("rejected-message")
def test_what_is_no_message_under_its_data_key_is_refused(vector: Vector) -> None:
    legacy = vector["legacy"]
    refused(vector, lambda: open_message(vector, legacy=legacy))


@vectors("auditline")
def test_a_line_is_written_signed_and_read(vector: Vector) -> None:
    vault_id, signer, line = vector["vault_id"], vector["signer"], vector.text("line")
    who = Identity(vector.raw("seed"))
    assert auditline.encode(vector["event"], vault_id=vault_id, signer=signer, sign=who.sign) == line
    assert auditline.signed_bytes(vault_id, auditline.signed_part(line)) == vector.raw("signed_bytes")
    assert auditline.decode(line).signature.signer == signer
    assert auditline.digest(line) == vector["digest"]
    identity.verify(who.sign_public, vector.raw("signed_bytes"), auditline.decode(line).signature.value)


@vectors("auditlog")
def test_a_log_of_several_principals_holds_line_by_line(vector: Vector) -> None:
    lines = vector["lines"]
    verifier = Verifier(vector.raw("fingerprint"), Here(), replay=Replay())
    for segment, line in lines:
        verifier.take(segment, line.encode() + b"\n")
    assert verifier.report().lines == len(lines)


@vectors("rejected-auditlog")
def test_another_log_is_refused_at_the_line_that_is_wrong(vector: Vector) -> None:
    lines, verifier = vector["lines"], Verifier(vector.raw("fingerprint"), Here())

    def read() -> None:
        for segment, line in lines:
            verifier.take(segment, line.encode() + b"\n")

    with pytest.raises(errors.AuditTamperedError) as caught:
        read()
    assert (caught.value.data["seq"], caught.value.data["reason"]) == (vector["seq"], vector["reason"])
    assert (vector["layer"], vector["error"]) == ("audit.signers", "AuditTamperedError")


@vectors("rejected-auditline")
def test_another_line_is_refused(vector: Vector) -> None:
    line, vault_id, sign = vector.text("line"), vector["vault_id"], vector.raw("sign")

    def read() -> None:
        found = auditline.decode(line)
        identity.verify(sign, auditline.signed_bytes(vault_id, auditline.signed_part(line)), found.signature.value)

    refused(vector, read)
