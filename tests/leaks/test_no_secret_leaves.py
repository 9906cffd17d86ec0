"""Needles: unique secrets that must be found in no output, no write, no argv and no byte of the vault, unasked.

Every command runs under strace, so not only what is left at the end is searched but every byte that was ever handed to
the kernel: journals, temporary files, terminals, pipes.
"""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from kmscli.crypto import kdf, seal
from kmscli.formats import importtoken, keyfile
from kmscli.formats.wire import label
from kmscli.service.context import Call, Context
from kmscli.service.materials import open_version
from kmscli.vault import accesskeys, custodians, shares
from kmscli.vault.folder import Vault
from kmscli.vault.records import KeyGroup
from kmscli.vault.secrets import Secret, Shares, from_files
from kmscli.vault.unlock import unlock

pytestmark = pytest.mark.needs("strace")

MAIN = "import sys; sys.argv[0] = 'kms'; from kmscli._fast import main; sys.exit(main())"
PASSPHRASE = b"needle-passphrase-6Zq1"
SECOND = b"needle-second-passphrase-Xk42"
WRONG = b"needle-wrong-passphrase-77bD"
PLAINTEXT = b"needle-plaintext-c0ffee-Lm"
CUSTODIANS = ("alice", "bob")
IMPORTED = b"needle-imported-material-0123456"
_CALL = re.compile(r"^\d+ +(?P<call>\w+)\((?P<rest>.*)$")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Traced:
    """What one command handed to the kernel: argv of every program, and writes by the path they went to."""

    def __init__(self, stdout: bytes, stderr: bytes, code: int, trace: Path) -> None:
        self.stdout, self.stderr, self.code = stdout, stderr, code
        self.argv: list[bytes] = []
        self.writes: list[tuple[str, bytes]] = []
        for line in trace.read_text().splitlines():
            if match := _CALL.match(line):
                self._read(match["call"], match["rest"])

    def _read(self, call: str, rest: str) -> None:
        strings = [_unescaped(found) for found in _STRING.findall(rest)]
        if call.startswith("execve"):
            self.argv.append(b"\0".join(strings))
        else:
            self.writes.append((_unescaped(rest.split("<", 1)[-1].split(">", 1)[0]).decode(), b"".join(strings)))


def _unescaped(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class House:
    """A vault whose every command is traced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: list[tuple[set[str], Traced]] = []
        self.data_key = b""
        self.data_key_pair = b""
        self.access_key = b""
        self.token = b""
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KMS_")},
            "KMS_VAULT": str(folder / "vault"),
            "XDG_STATE_HOME": str(folder / "state"),
            "KMS_NO_INPUT": "1",
        }
        for name, secret in (("pass", PASSPHRASE), ("second", SECOND), ("wrong", WRONG)):
            path = folder / name
            path.write_bytes(secret + b"\n")
            path.chmod(0o600)
        (folder / "plain").write_bytes(PLAINTEXT)

    def run(self, *words: str, unlocked_by: str = "pass", asked: set[str] = frozenset(), code: int = 0) -> Traced:
        """Run `kms`; `asked` names the outputs ("stdout", or paths) in which a secret was asked for."""
        trace = self.folder / "trace"
        environ = dict(self.environ)
        if unlocked_by:
            environ["KMS_PASSPHRASE_FILE"] = str(self.folder / unlocked_by)
        calls = "execve,execveat,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendfile,memfd_create"
        tracer = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={calls}", "-o", str(trace)]
        done = subprocess.run(
            [*tracer, sys.executable, "-c", MAIN, *words], env=environ, capture_output=True, check=False, timeout=120
        )
        assert code == done.returncode, (words, done.stderr)
        traced = Traced(done.stdout, done.stderr, done.returncode, trace)
        trace.unlink()
        self.runs.append((set(asked), traced))
        return traced


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A vault after a day of work, every byte of which was traced."""
    house = House(tmp_path_factory.mktemp("leaks"))
    folder = house.folder
    new = ["--new-passphrase-file", str(folder / "pass")]
    house.run("init", "--kdf-memory", "8", *new, unlocked_by="")
    house.run("create-key", "--alias", "alias/app", "--description", "a key")
    blob = ["--format", "blob"]
    house.run(
        "encrypt", "-k", "alias/app", "-c", "app=shop", *blob, str(folder / "plain"), "-o", str(folder / "out.kms")
    )
    house.run("rotate-key-on-demand", "--key-id", "alias/app")
    house.run(
        "decrypt", "-c", "app=shop", str(folder / "out.kms"), "-o", str(folder / "back"), asked={str(folder / "back")}
    )
    house.run("decrypt", "-c", "app=shop", str(folder / "out.kms"), asked={"stdout"})
    house.run("decrypt", str(folder / "out.kms"), code=40)
    house.run("decrypt", "--debug", str(folder / "out.kms"), code=40)
    house.run("encrypt", "--key-id", "alias/app", "--plaintext", f"fileb://{folder / 'plain'}")
    house.run("encrypt", str(folder / "plain"), "-o", str(folder / "managed.kms"))
    _use_files(house)
    data_key = house.run("generate-data-key", "--key-id", "alias/app", "--key-spec", "AES_256", asked={"stdout"})
    house.data_key = base64.b64decode(json.loads(data_key.stdout)["Plaintext"])
    house.run("generate-data-key-without-plaintext", "--key-id", "alias/app", "--key-spec", "AES_256")
    _make_access_keys(house)
    house.run("describe-key", "--key-id", "alias/app", unlocked_by="wrong", code=12)
    house.run("describe-key", "--debug", "--key-id", "alias/app", unlocked_by="wrong", code=12)
    _use_key_pairs(house)
    _import(house)
    house.run("slot", "add", "--label", "ci", "--new-keyfile", str(folder / "ci.key"), asked={str(folder / "ci.key")})
    _entrust(house)
    house.run("slot", "change", "first", "--new-passphrase-file", str(folder / "second"))
    house.run("slot", "list", unlocked_by="")
    house.run("describe-key", "--key-id", "alias/app", unlocked_by="second")
    house.run("disable-key", "--key-id", "alias/app", unlocked_by="second")
    house.run("encrypt", "-k", "alias/app", str(folder / "plain"), unlocked_by="second", code=22)
    house.run("audit", "tail", unlocked_by="")
    house.run("audit", "verify", unlocked_by="")
    house.run("status", unlocked_by="")
    return house


def _use_files(house: House) -> None:
    """Make messages and open them: to a file, to a pipe, in place, and in vain."""
    plain, sealed, back = (str(house.folder / name) for name in ("plain", "message.kms", "back2"))
    house.run("encrypt", "-k", "alias/app", "-c", "app=shop", "--armor", plain, "-o", sealed)
    house.run("decrypt", "--debug", "-c", "app=other", sealed, code=40)
    house.run("decrypt", sealed, "-o", back, asked={back})
    house.run("decrypt", sealed, asked={"stdout"})
    house.run("encrypt", "-k", "alias/app", "-k", "alias/aws/files", "--in-place", back)
    house.run("decrypt", "--in-place", back, asked={back})


def _make_access_keys(house: House) -> None:
    """Make access keys, one more than there may be, and change one."""
    made = house.run("access-key", "create", "admin", asked={"stdout"})
    found = json.loads(made.stdout)["AccessKey"]
    house.access_key = found["SecretAccessKey"].encode()
    house.run("access-key", "create", "admin", "--query", "AccessKey.AccessKeyId")
    house.run("access-key", "create", "admin", "--debug", code=31)
    house.run("access-key", "list")
    house.run("access-key", "update", found["AccessKeyId"], "--status", "Inactive")


def _entrust(house: House) -> None:
    """Give a slot to custodians, open it with their shares, and fail to."""
    folder, mine = house.folder, [str(house.folder / f"{name}.share") for name in CUSTODIANS]
    who = ["--custodians", ",".join(CUSTODIANS), "--threshold", "2", "--share-folder", str(folder)]
    house.run("slot", "add", "--label", "board", *who, asked=set(mine))
    alice, bob = (["--keyfile", path] for path in mine)
    house.run("describe-key", "--key-id", "alias/app", *alice, *bob)
    house.run("describe-key", "--debug", "--key-id", "alias/app", *bob, code=13)
    house.run("describe-key", "--debug", "--key-id", "alias/app", *bob, *bob, code=12)


def _use_key_pairs(house: House) -> None:
    message = f"fileb://{house.folder / 'plain'}"
    usage = ["--key-usage", "SIGN_VERIFY"]
    house.run("create-key", "--alias", "alias/sign", "--key-spec", "ECC_NIST_P256", *usage)
    signing = ["--key-id", "alias/sign", "--message", message, "--signing-algorithm", "ECDSA_SHA_256"]
    house.run("sign", *signing)
    house.run("get-public-key", "--key-id", "alias/sign")
    house.run("create-key", "--alias", "alias/mac", "--key-spec", "HMAC_256", "--key-usage", "GENERATE_VERIFY_MAC")
    house.run("generate-mac", "--key-id", "alias/mac", "--message", message, "--mac-algorithm", "HMAC_SHA_256")
    pair = ["--key-id", "alias/app", "--key-pair-spec", "ECC_NIST_P256"]
    made = house.run("generate-data-key-pair", *pair, asked={"stdout"})
    house.data_key_pair = base64.b64decode(json.loads(made.stdout)["PrivateKeyPlaintext"])
    house.run("generate-data-key-pair-without-plaintext", *pair)


def _import(house: House) -> None:
    """Import material, forget it, and fail to import other material."""
    own = ["--key-id", "alias/own"]
    house.run("create-key", "--alias", "alias/own", "--origin", "EXTERNAL")
    wrapping = ["--wrapping-algorithm", "RSAES_OAEP_SHA_256", "--wrapping-key-spec", "RSA_2048"]
    found = json.loads(house.run("get-parameters-for-import", *own, *wrapping).stdout)
    public = load_der_public_key(base64.b64decode(found["PublicKey"]))
    assert isinstance(public, RSAPublicKey)
    house.token = base64.b64decode(found["ImportToken"])
    (house.folder / "token").write_bytes(house.token)
    files = ["--import-token", f"fileb://{house.folder / 'token'}"]
    for material, code in ((IMPORTED, 0), (IMPORTED[::-1], 24)):
        wrapped = public.encrypt(material, OAEP(MGF1(SHA256()), SHA256(), None))
        (house.folder / "wrapped").write_bytes(wrapped)
        files = [*files[:2], "--encrypted-key-material", f"fileb://{house.folder / 'wrapped'}"]
        expires = ["--expiration-model", "KEY_MATERIAL_DOES_NOT_EXPIRE"]
        house.run("import-key-material", *own, *files, *expires, code=code)
    house.run("delete-imported-key-material", *own)


def _secrets(house: House) -> Iterator[tuple[str, bytes]]:
    folder = house.folder
    line = (folder / "ci.key").read_bytes()
    yield from (("passphrase", PASSPHRASE), ("second", SECOND), ("wrong", WRONG), ("plaintext", PLAINTEXT))
    yield from (("imported", IMPORTED), ("imported in vain", IMPORTED[::-1]))
    yield from (("data key", house.data_key), ("data key pair", house.data_key_pair[-100:]))
    yield from (("access key", house.access_key), ("access key as bytes", base64.b64decode(house.access_key)))
    yield "keyfile", keyfile.decode(line, path="ci.key")
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    with Vault(folder / "vault", clock=lambda: datetime.now(UTC), rng=os.urandom, lock_timeout=5, warn=print) as vault:
        session = unlock(vault, None, lambda _: Secret.keyfile(line, path="ci.key"))
        yield "seed", session.identity.seed
        files = [(name, (folder / f"{name}.share").read_bytes()) for name in CUSTODIANS]
        custody = from_files(files)
        assert isinstance(custody, Shares)
        yield from ((f"share of {name}", share.value) for name, share in custody.given)
        yield "what custodians hold", custodians.combine(vault.slots()[0], custody, "admin")[1].value
        for slot in vault.slots()[0]:
            if slot.kdf:
                cost = kdf.Cost(slot.kdf.memory_kib, slot.kdf.passes, slot.kdf.lanes)
                base = kdf.stretch(SECOND, salt=slot.salt, cost=cost)
                yield "derived from the passphrase", base
                yield "anchor key", kdf.expand(base, label("slot-anchor-key", slot.salt), 32)
        with session.read() as snapshot:
            call = Call(Context(session), "Decrypt", snapshot, datetime.now(UTC))
            vault_id = snapshot.vault.vault_id
            secret = shares.open_vault_secret(snapshot.vault_secret("admin"), session.identity, vault_id=vault_id)
            yield "vault secret", secret
            share = snapshot.access_key_shares["admin"]
            yield "KEK of access keys", accesskeys.open_share(share, session.identity, vault_id=vault_id)
            for alias in ("alias/app", "alias/aws/files", "alias/sign", "alias/mac", "alias/own"):
                key = call.find(alias)
                yield f"KEK of {alias}", call.kek(key)
                for number, version in key.versions.items():
                    if version.sealed:
                        yield f"material {number} of {alias}", _core(key, open_version(call, key, version))
            yield from _of_the_token(call.find("alias/own"), house.token, secret, vault_id)


def _core(key: KeyGroup, material: bytes) -> bytes:
    """The secret part of some material: the encoding of a key pair ends in its public key."""
    return material[36:68] if key.record.key_spec == "ECC_NIST_P256" else material


def _of_the_token(key: KeyGroup, token: bytes, secret: bytes, vault_id: str) -> Iterator[tuple[str, bytes]]:
    token_key = kdf.expand(secret, b"kms/v1/import-token-key", 32)
    bound = importtoken.context(vault_id, key.record.key_id)
    opened = importtoken.decode(seal.unseal(token_key, importtoken.without_header(token), context=bound))
    yield from (("key of tokens", token_key), ("wrapping key", opened.private[300:400]))


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield repr(secret)[2:-1].encode()
    for shift in range(3):
        # Wherever a secret starts within longer data, its base64 contains one of three cores.
        core = base64.b64encode(bytes(shift) + secret)[4 if shift else 0 :].rstrip(b"=")[:-1]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


@pytest.fixture(scope="module")
def needles(house: House, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    before = os.environ.get("XDG_STATE_HOME")
    try:
        return [(name, form) for name, secret in _secrets(house) for form in set(_forms(secret))]
    finally:
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before


def _is_for(path: Path, asked: Path) -> bool:
    # What was asked for is written beside its place, under a temporary name or under none yet (#INODE).
    return path.parent == asked.parent and (asked.name in path.name or path.name.startswith("#"))


def test_the_search_finds_a_needle_where_it_was_asked_for(house: House, needles: list[tuple[str, bytes]]) -> None:
    asked = b"".join(run.stdout for kinds, run in house.runs if "stdout" in kinds)

    found = {name for name, form in needles if form in asked}

    assert {"plaintext", "data key", "data key pair", "access key"} <= found


def test_no_write_carries_a_secret_but_to_where_it_was_asked_for(
    house: House, needles: list[tuple[str, bytes]]
) -> None:
    leaks = []
    for asked, run in house.runs:
        for path, data in run.writes:
            is_stdout = path.startswith("pipe:") and data in run.stdout
            to_asked = any(_is_for(Path(path), Path(name)) for name in asked)
            if ("stdout" in asked and is_stdout) or to_asked:
                continue
            leaks += [(name, path) for name, form in needles if form in data]

    assert leaks == []


def test_no_program_is_started_with_a_secret_in_its_arguments_or_environment(
    house: House, needles: list[tuple[str, bytes]]
) -> None:
    assert [] == [name for _, run in house.runs for argv in run.argv for name, form in needles if form in argv]


def test_stderr_never_shows_a_secret(house: House, needles: list[tuple[str, bytes]]) -> None:
    assert [] == [name for _, run in house.runs for name, form in needles if form in run.stderr]


def test_no_file_of_the_vault_or_the_state_folder_holds_a_secret(
    house: House, needles: list[tuple[str, bytes]]
) -> None:
    files = [path for part in ("vault", "state") for path in (house.folder / part).rglob("*") if path.is_file()]

    leaks = [(name, path.name) for path in files for name, form in needles if form in path.read_bytes()]

    assert len(files) >= 5
    assert leaks == []
