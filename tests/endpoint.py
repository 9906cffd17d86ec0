"""The real `kms serve` as a child process over a vault of a test's own, and boto3 clients that ask it.

Whoever needs several tests of one server keeps it in a fixture of module scope: `with running() as served`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import boto3  # type: ignore[import-untyped]
import botocore.config  # type: ignore[import-untyped]
import msgspec

from tests.principals import quick_folder, statement

KMS = str(Path(sys.executable).parent / "kms")
REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECONDS = 30
STOP_SECONDS = 30


class Key(msgspec.Struct, frozen=True):
    """An access key."""

    access_key_id: str
    secret: str

    @property
    def environ(self) -> dict[str, str]:
        """As programs of AWS take it."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret}


class Place:
    """A vault that `kms init` made, its keyfile, and commands over it.

    Attributes:
        folder: Where all of it is.
        environ: What a command sees.
    """

    def __init__(self, folder: Path, *, region: str = REGION) -> None:
        self.folder = folder
        self.region = region
        self.environ = {
            "PATH": f"{Path(KMS).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "KMS_VAULT": str(folder / "vault"),
            "KMS_KEYFILE": str(folder / "admin.key"),
            "KMS_PRINCIPAL": "admin",
            "KMS_NO_INPUT": "1",
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self._keys: dict[str, Key] = {}

    def init(self) -> "Place":
        """Make the vault."""
        self.kms("init", "--new-keyfile", self.environ["KMS_KEYFILE"], "--region", self.region, "--kdf-memory", "8")
        return self

    def kms(self, *words: str, data: bytes = b"", code: int = 0) -> bytes:
        """What a command prints; it ends with `code`."""
        done = subprocess.run(
            [KMS, *words], env=self.environ, cwd=self.folder, input=data, capture_output=True, check=False, timeout=120
        )
        assert code == done.returncode, (words, done.returncode, done.stderr.decode())
        return done.stdout

    def answer(self, *words: str) -> Any:
        """What a command answers, which is JSON."""
        return json.loads(self.kms(*words, "--output", "json"))

    def access_key(self, principal: str = "admin") -> Key:
        """The access key of a principal; made when it is first asked for."""
        if principal not in self._keys:
            self._keys[principal] = self.new_access_key(principal)
        return self._keys[principal]

    def new_access_key(self, principal: str = "admin") -> Key:
        """One more access key of a principal."""
        made = self.answer("access-key", "create", principal)["AccessKey"]
        return Key(made["AccessKeyId"], made["SecretAccessKey"])

    def principal(self, name: str, *statements: Mapping[str, object], role: bool = False) -> str:
        """The ARN of a new principal, with an identity policy of some statements (`principals.statement`)."""
        self.kms("principal", "create", name, "--new-keyfile", f"{name}.key", *(["--role"] if role else []))
        if statements:
            self.put_policy(name, *statements)
        return f"arn:aws:iam::{ACCOUNT}:{'role' if role else 'user'}/{name}"

    def put_policy(self, name: str, *statements: Mapping[str, object]) -> None:
        """Give a principal an identity policy, in the place of the one before."""
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.kms("principal", "put-policy", name, "--policy-name", "own", "--policy-document", text)

    def lines(self) -> list[dict[str, Any]]:
        """The members of the lines of the whole log."""
        parts = [path.read_bytes() for path in sorted((self.folder / "vault" / "audit").glob("*.jsonl"))]
        return [json.loads(line) for line in b"".join(parts).splitlines()]

    def line(self, request_id: str) -> dict[str, Any]:
        """The one line of a request."""
        (found,) = [line for line in self.lines() if line["requestID"] == request_id]
        return found


class Served:
    """A server that runs.

    Attributes:
        place: Its vault.
        url: Where it serves.
        process: The supervisor.
        log: What it wrote to stderr: the access log, and warnings.
    """

    def __init__(self, place: Place, options: Sequence[str] = (), *, listen: Sequence[str] = ("--port", "0")) -> None:
        """Start it, and wait until it says that it serves.

        Args:
            place: The vault.
            options: Options of `kms serve`.
            listen: Those that say where; other than a port has a url of its own.
        """
        self.place = place
        self._clients: list[Any] = []
        self.log = place.folder / "serve.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [KMS, "serve", *listen, *options],
                env=place.environ,
                cwd=place.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        out = cast("IO[bytes]", self.process.stdout)
        line = out.readline().decode()
        if not line.startswith("serving "):
            self.process.kill()
            self.process.wait()
            out.close()
            raise AssertionError(f"kms serve did not start: {' '.join(options)}\n{self.log.read_text()}")
        self.url = line.removeprefix("serving ").strip()

    def client(self, principal: str = "admin", *, key: Key | None = None, service: str = "kms", **config: Any) -> Any:
        """A boto3 client that signs as a principal, or with an access key; it tries once."""
        signs = key or self.place.access_key(principal)
        made = boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.place.region,
            aws_access_key_id=signs.access_key_id,
            aws_secret_access_key=signs.secret,
            config=botocore.config.Config(**({"retries": {"total_max_attempts": 1}} | config)),
        )
        self._clients.append(made)
        return made

    def environ(self, principal: str = "admin") -> dict[str, str]:
        """What a program of AWS needs to ask it as a principal."""
        return {
            **self.place.environ,
            **self.place.access_key(principal).environ,
            "AWS_ENDPOINT_URL_KMS": self.url,
            "AWS_REGION": self.place.region,
            "AWS_DEFAULT_REGION": self.place.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def accesses(self) -> list[dict[str, Any]]:
        """The lines of the access log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def stop(self) -> int:
        """End it by SIGTERM; its exit code."""
        self._close_clients()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        cast("IO[bytes]", self.process.stdout).close()
        return code

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._close_clients()
        self.process.kill()
        self.process.wait()
        cast("IO[bytes]", self.process.stdout).close()

    def _close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()


@contextmanager
def place(name: str = "serve", *, region: str = REGION) -> Iterator[Place]:
    """A fresh vault in memory, where the machine has such a place."""
    with quick_folder(name) as folder:
        yield Place(folder, region=region).init()


@contextmanager
def serving(where: Place, *options: str, listen: Sequence[str] = ("--port", "0")) -> Iterator[Served]:
    """A server over a vault; at the end of the block it ends by SIGTERM, with exit code 0."""
    served = Served(where, options, listen=listen)
    try:
        yield served
    except BaseException:
        served.kill()
        raise
    assert 0 == served.stop(), served.log.read_text()


@contextmanager
def running(*options: str, region: str = REGION) -> Iterator[Served]:
    """A server over a fresh vault."""
    with place(region=region) as where, serving(where, *options) as served:
        yield served


def allow(*actions: str, **parts: object) -> dict[str, Any]:
    """A statement of an identity policy that allows actions."""
    return statement(Action=list(actions), **parts)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
