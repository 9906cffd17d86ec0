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

from kmscli.crypto import kdf
from kmscli.formats import keyfile
from kmscli.formats.wire import label
from kmscli.service.context import Call, Context
from kmscli.service.materials import open_version
from kmscli.vault import shares
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock

pytestmark = pytest.mark.needs("strace")

MAIN = "import sys; sys.argv[0] = 'kms'; from kmscli._fast import main; sys.exit(main())"
PASSPHRASE = b"needle-passphrase-6Zq1"
SECOND = b"needle-second-passphrase-Xk42"
WRONG = b"needle-wrong-passphrase-77bD"
PLAINTEXT = b"needle-plaintext-c0ffee-Lm"
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
    house.run("encrypt", "-k", "alias/app", "-c", "app=shop", str(folder / "plain"), "-o", str(folder / "out.kms"))
    house.run("rotate-key-on-demand", "--key-id", "alias/app")
    house.run(
        "decrypt", "-c", "app=shop", str(folder / "out.kms"), "-o", str(folder / "back"), asked={str(folder / "back")}
    )
    house.run("decrypt", "-c", "app=shop", str(folder / "out.kms"), asked={"stdout"})
    house.run("decrypt", str(folder / "out.kms"), code=40)
    house.run("decrypt", "--debug", str(folder / "out.kms"), code=40)
    house.run("encrypt", "--key-id", "alias/app", "--plaintext", f"fileb://{folder / 'plain'}")
    house.run("encrypt", str(folder / "plain"), "-o", str(folder / "managed.kms"))
    data_key = house.run("generate-data-key", "--key-id", "alias/app", "--key-spec", "AES_256", asked={"stdout"})
    house.data_key = base64.b64decode(json.loads(data_key.stdout)["Plaintext"])
    house.run("generate-data-key-without-plaintext", "--key-id", "alias/app", "--key-spec", "AES_256")
    house.run("describe-key", "--key-id", "alias/app", unlocked_by="wrong", code=12)
    house.run("describe-key", "--debug", "--key-id", "alias/app", unlocked_by="wrong", code=12)
    house.run("slot", "add", "--label", "ci", "--new-keyfile", str(folder / "ci.key"), asked={str(folder / "ci.key")})
    house.run("slot", "change", "first", "--new-passphrase-file", str(folder / "second"))
    house.run("slot", "list", unlocked_by="")
    house.run("describe-key", "--key-id", "alias/app", unlocked_by="second")
    house.run("disable-key", "--key-id", "alias/app", unlocked_by="second")
    house.run("encrypt", "-k", "alias/app", str(folder / "plain"), unlocked_by="second", code=22)
    house.run("audit", "tail", unlocked_by="")
    house.run("audit", "verify", unlocked_by="")
    house.run("status", unlocked_by="")
    return house


def _secrets(house: House) -> Iterator[tuple[str, bytes]]:
    folder = house.folder
    line = (folder / "ci.key").read_bytes()
    yield from (("passphrase", PASSPHRASE), ("second", SECOND), ("wrong", WRONG), ("plaintext", PLAINTEXT))
    yield "data key", house.data_key
    yield "keyfile", keyfile.decode(line, path="ci.key")
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    with Vault(folder / "vault", clock=lambda: datetime.now(UTC), rng=os.urandom, lock_timeout=5, warn=print) as vault:
        session = unlock(vault, None, lambda _: Secret.keyfile(line, path="ci.key"))
        yield "seed", session.identity.seed
        for slot in vault.slots()[0]:
            if slot.kdf:
                cost = kdf.Cost(slot.kdf.memory_kib, slot.kdf.passes, slot.kdf.lanes)
                base = kdf.stretch(SECOND, salt=slot.salt, cost=cost)
                yield "derived from the passphrase", base
                yield "anchor key", kdf.expand(base, label("slot-anchor-key", slot.salt), 32)
        with session.read() as snapshot:
            call = Call(Context(session), "Decrypt", snapshot, datetime.now(UTC))
            vault_id = snapshot.vault.vault_id
            yield (
                "vault secret",
                shares.open_vault_secret(snapshot.vault_secret("admin"), session.identity, vault_id=vault_id),
            )
            for alias in ("alias/app", "alias/aws/files"):
                key = call.find(alias)
                yield f"KEK of {alias}", call.kek(key)
                for number, version in key.versions.items():
                    yield f"material {number} of {alias}", open_version(call, key, version)


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

    assert {"plaintext", "data key"} <= found


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
