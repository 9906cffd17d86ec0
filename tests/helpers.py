"""A small vault of a test's own: made by init with a keyfile, so no test pays for Argon2id, and a clock to move."""

import json
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from kmscli import errors
from kmscli.service.context import Context
from kmscli.service.dispatch import perform
from kmscli.service.shapes import Response
from kmscli.service.vaults import InitRequest, init_vault
from kmscli.vault.folder import Vault
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock

START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LOCK_TIMEOUT = 10.0
CHILD_SECONDS = 120


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Move it, by what timedelta takes; backwards too."""
        self.now += timedelta(**by)


class Home:
    """A vault on disk, its keyfile, and a session that is opened when it is first needed."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], datetime] | None = None,
        rng: Callable[[int], bytes] = os.urandom,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self.folder = folder / "vault"
        self.keyfile = folder / "admin.key"
        self.clock = clock or Clock()
        self.rng = rng
        self.lock_timeout = lock_timeout
        self.warnings: list[str] = []
        self._context: Context | None = None

    def init(self) -> "Home":
        """Create the vault."""
        request = InitRequest(self.folder, None, self.keyfile, kdf_memory_mib=8)
        self.made = init_vault(request, clock=self.clock, rng=self.rng)
        return self

    def open(self, *, lock_timeout: float | None = None) -> Vault:
        """The vault, opened once more, not unlocked."""
        return Vault(
            self.folder,
            clock=self.clock,
            rng=self.rng,
            lock_timeout=self.lock_timeout if lock_timeout is None else lock_timeout,
            warn=self.warnings.append,
        )

    def secret(self) -> Secret:
        """What opens the first slot."""
        return Secret.keyfile(self.keyfile.read_bytes(), path=str(self.keyfile))

    def unlocked(self, vault: Vault | None = None) -> Context:
        """A context of its own over `vault`, or over the vault opened once more."""
        return Context(unlock(vault or self.open(), None, lambda _: self.secret()))

    @property
    def context(self) -> Context:
        """The one that `perform` works with."""
        if self._context is None:
            self._context = self.unlocked()
        return self._context

    def close(self) -> None:
        """Close the session; the next use opens the vault again."""
        if self._context is not None:
            self._context.session.vault.close()
            self._context = None

    def perform(self, name: str, **members: object) -> Any:
        """Run an operation; the answer is its struct."""
        return perform(self.context, name, members)

    def answer(self, name: str, **members: object) -> dict[str, Any]:
        """Run an operation; the answer under AWS's names, bytes as bytes."""
        return named(perform(self.context, name, members))

    def refused(self, name: str, **members: object) -> errors.KmsError:
        """The error in which an operation ends."""
        with pytest.raises(errors.KmsError) as caught:
            perform(self.context, name, members)
        return caught.value

    def create_key(self, **members: object) -> str:
        """The id of a new key."""
        key_id = self.perform("CreateKey", **members).key_metadata.key_id
        return str(key_id)

    def state_of(self, key_id: str) -> str:
        """A key's KeyState."""
        return str(self.perform("DescribeKey", KeyId=key_id).key_metadata.key_state)

    def arn(self, key_id: str) -> str:
        """A key's ARN."""
        return f"arn:aws:kms:local:000000000000:key/{key_id}"

    def raw_lines(self) -> list[bytes]:
        """The lines of the whole log, without newlines."""
        parts = [path.read_bytes() for path in sorted((self.folder / "audit").glob("*.jsonl"))]
        return b"".join(parts).splitlines()

    def lines(self) -> list[dict[str, Any]]:
        """The members of the lines of the whole log."""
        return [json.loads(line) for line in self.raw_lines()]


class Forked:
    """A child process at work on a function of the test; it ends without running any of the test's own clean-up.

    Attributes:
        pid: Its process id.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            self._child(work, writing)
        os.close(writing)
        self._reading = reading
        self._status: int | None = None

    @staticmethod
    def _child(work: Callable[[], object], writing: int) -> NoReturn:
        try:
            signal.alarm(CHILD_SECONDS)
            outcome: tuple[str, object] = ("value", work())
        except errors.KmsError as error:
            outcome = ("error", f"{error.code}: {error.message}")
        except BaseException:  # noqa: BLE001 - whatever it was, the parent tells it
            outcome = ("crash", traceback.format_exc())
        try:
            with os.fdopen(writing, "wb") as file:
                pickle.dump(outcome, file)
        finally:
            os._exit(0)

    def wait(self) -> int:
        """Its exit code, negative for a signal."""
        if self._status is None:
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def outcome(self) -> tuple[str, Any]:
        """("value", what the function gave), ("error", code and text of a KmsError) or ("killed", None)."""
        with os.fdopen(self._reading, "rb") as file:
            written = file.read()
        self.wait()
        if not written:
            return ("killed", None)
        kind, value = pickle.loads(written)  # noqa: S301 - written by our own child
        if kind == "crash":
            pytest.fail(f"in a child process:\n{value}")
        return kind, value

    def result(self) -> Any:
        """What the function gave."""
        kind, value = self.outcome()
        assert kind == "value", value
        return value


def forked(work: Callable[[], object]) -> Forked:
    """Run `work` in a child process; hold no open vault meanwhile, for no database crosses a fork."""
    return Forked(work)


def named(response: Response) -> dict[str, Any]:
    """An answer under AWS's names, bytes as bytes and times as times."""
    answer: dict[str, Any] = msgspec.to_builtins(response, builtin_types=(bytes, datetime))
    return answer


def with_limits(home: Home, profile: str) -> None:
    """Choose the account limits of a vault, as its owner does in config.toml."""
    (home.folder / "config.toml").write_text(f'limits = "{profile}"\n')
    home.close()


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test saw of its vaults stays out of the user's own folder of states."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def clock() -> Clock:
    """The clock of the vault `home`."""
    return Clock()


@pytest.fixture
def home(tmp_path: Path, clock: Clock) -> Iterator[Home]:
    """A fresh vault."""
    made = Home(tmp_path, clock=clock).init()
    yield made
    made.close()
