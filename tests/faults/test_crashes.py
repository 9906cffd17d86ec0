"""SIGKILL at every write-like system call of the commands that write, and then: what is there is whole.

After each kill the vault opens and proves itself, its log included; acknowledged work is there; the state is the one
before or the one after and never a mix; one more change succeeds; and no temporary file stays. A short run takes some
of the calls, the long run takes every one.
"""

import shutil
from pathlib import Path
from typing import Protocol

import pytest

from kmscli.service import audits
from tests.faults import samples, traced
from tests.faults.stage import CASES, Stage, names, secret_of
from tests.faults.traced import Call, Command, Ended

pytestmark = pytest.mark.needs("strace")


class Staged(Protocol):
    """Where a command runs again and again."""

    command: Command

    def reset(self) -> None: ...

    def check(self, where: object, ended: Ended) -> None: ...


def survive_kills(stage: Staged, calls: list[Call]) -> None:
    """Kill the command at each of the calls, each time on a fresh copy."""
    reached = 0
    for call in calls:
        stage.reset()
        ended = stage.command.killed_at(call)
        # Ids are random, and how many pages a change touches depends on them: the last of many calls may not come.
        assert ended.code in (-9, 0), (call, ended)
        reached += ended.code == -9
        stage.check(call, ended)
    assert reached > 0.8 * len(calls)


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_killed_leaves_the_old_state_or_the_new_one(
    prepared: Path, workplace: Path, name: str
) -> None:
    stage = Stage(prepared, workplace, name)
    survive_kills(stage, traced.some(stage.calls, stage.turn, every=3))


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_killed_at_any_call_leaves_the_old_state_or_the_new_one(
    prepared: Path, workplace: Path, name: str
) -> None:
    stage = Stage(prepared, workplace, name)
    survive_kills(stage, stage.calls)


# -- init --------------------------------------------------------------------------------------------------------------

INIT = ("init", "--new-keyfile", "keyfile")


class Birth:
    """An empty folder of a user in which a vault is made again and again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.command = Command(INIT, home)
        self.calls = self.command.calls()
        self.names = set(names(home)) - {"state", "state/kms"}

    def reset(self) -> None:
        shutil.rmtree(self.home)
        self.home.mkdir()

    def check(self, where: object, ended: Ended) -> None:
        """The vault is there and opens, or the same command makes it now; `where` names the run that went before."""
        if (self.home / "vault" / "vault.db").exists():
            assert 21 == self.command.run().code, where
        else:
            assert ended.code != 0, where
            again = self.command.run()
            assert 0 == again.code, (where, again)
        with samples.unlocked(self.home / "vault", secret_of(self.home)) as context:
            samples.ask(context, "CreateKey", Alias="alias/app")
            assert 2 == audits.verify(context.session.vault, full=True).lines, where
        kept = {name for name in names(self.home) if not name.startswith("state")}
        assert self.names | {"vault/vault.db-journal"} == kept | {"vault/vault.db-journal"}, where


def test_an_init_that_is_killed_leaves_nothing_that_the_next_one_trips_over(workplace: Path) -> None:
    birth = Birth(workplace)
    survive_kills(birth, traced.some(birth.calls, 0, every=4))


@pytest.mark.long
def test_an_init_that_is_killed_at_any_call_leaves_nothing_that_the_next_one_trips_over(workplace: Path) -> None:
    birth = Birth(workplace)
    survive_kills(birth, birth.calls)


def killed_before_the_move(birth: Birth) -> None:
    """Keyfile and vault are made, but the vault is not yet in its place."""
    # Of all renames, the one that moves the vault is the last.
    move = [call for call in birth.calls if call.name == "rename"][-1]
    birth.reset()
    birth.command.killed_at(move)
    assert (birth.home / "keyfile").exists()
    assert not (birth.home / "vault").exists()


def test_another_keyfile_than_that_of_the_init_that_was_killed_will_do(workplace: Path) -> None:
    birth = Birth(workplace)
    killed_before_the_move(birth)
    other = Command(("init", "--new-keyfile", "other"), workplace).run()
    assert 0 == other.code, other
    assert {"other", "state", "vault"} >= {path.name for path in workplace.iterdir()}


def test_a_keyfile_that_no_init_made_stays(workplace: Path) -> None:
    birth = Birth(workplace)
    killed_before_the_move(birth)
    (workplace / "keyfile").write_bytes(b"mine\n")
    ended = birth.command.run()
    assert 21 == ended.code, ended
    assert b"mine\n" == (workplace / "keyfile").read_bytes()


# -- what a crash left, used by somebody else --------------------------------------------------------------------------


def test_a_hot_journal_that_is_put_back_is_a_rollback(prepared: Path, workplace: Path) -> None:
    stage = Stage(prepared, workplace, "create-key")
    journal = workplace / "vault" / "vault.db-journal"
    # To cut the journal is what commits; the log is cut later.
    cut = next(call for call in stage.calls if call.name == "ftruncate")
    stage.reset()
    stage.command.killed_at(cut)
    hot = journal.read_bytes()
    assert len(hot) > 512
    assert 0 == stage.command.run().code
    journal.write_bytes(hot)
    ended = Command(("list-keys",), workplace).run()
    assert 53 == ended.code, ended
    shutil.rmtree(workplace / "state")
    ended = Command(("list-keys",), workplace).run()
    # Where the later command wrote pages that the journal does not hold, two states are mixed, which the tree shows.
    assert ended.code in (50, 53), ended
