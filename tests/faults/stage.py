"""A user's folder on which a command runs again and again, and what must hold in it after each run."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from kmscli.service import audits, slots
from kmscli.service.context import Context
from kmscli.vault.secrets import Secret, from_files
from tests.faults import samples
from tests.faults.traced import Command, Ended

PLAINTEXT = b"to be kept\n"
OLD_OUTPUT = b"what was there before"


class Case(NamedTuple):
    """A command, and how to see whether it happened.

    Attributes:
        arguments: Its command line.
        observe: What the vault and the user's folder hold of what it does; equal before and after a use of a key.
        leaves: Names that a kill may leave in the user's folder.
    """

    arguments: tuple[str, ...]
    observe: Callable[[Path, Context], object]
    leaves: tuple[str, ...] = ()


def keys_and_aliases(_: Path, context: Context) -> object:
    """Every alias with the state of its key, which must encrypt and decrypt; and how many keys there are."""
    found = {}
    for alias in samples.ask(context, "ListAliases")["Aliases"]:
        key = samples.ask(context, "DescribeKey", KeyId=alias["TargetKeyId"])["KeyMetadata"]
        sealed = samples.ask(context, "Encrypt", KeyId=alias["AliasName"], Plaintext=b"probe")
        assert b"probe" == samples.ask(context, "Decrypt", CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"]
        found[alias["AliasName"]] = (key["KeyState"], key["KeyManager"])
    return found, len(samples.ask(context, "ListKeys")["Keys"])


def versions(home: Path, context: Context) -> object:
    """The rotations of the key; the ciphertext from before must open."""
    sealed = (home / "sealed").read_bytes()
    assert PLAINTEXT == samples.ask(context, "Decrypt", CiphertextBlob=sealed)["Plaintext"]
    rotations = samples.ask(context, "ListKeyRotations", KeyId="alias/app")["Rotations"]
    keys_and_aliases(home, context)
    return [rotation["KeyMaterialState"] for rotation in rotations]


def labels_of_slots(home: Path, context: Context) -> object:
    """The slots; a new one must open with the new keyfile, which must be whole if it is there."""
    listed = slots.list_slots(context.session.vault)
    assert 0 == listed.damaged_slots
    found = sorted(slot.label for slot in listed.slots)
    if (home / "second").exists() or "second" in found:
        secret = Secret.keyfile((home / "second").read_bytes(), path="second")
        if "second" in found:
            assert "second" == slots.test_slot(context.session.vault, None, lambda _: secret).slot.label
    return found


def custodians_of_slots(home: Path, context: Context) -> object:
    """The slots; a new one must open with the shares of its custodians, whole by then."""
    listed = slots.list_slots(context.session.vault)
    assert 0 == listed.damaged_slots
    found = sorted(slot.label for slot in listed.slots)
    shares = [(path.name, path.read_bytes()) for path in sorted(home.glob("*.share"))]
    if shares:
        from_files(shares)  # whole, whether or not their slot is there
    if "board" in found:
        secret = from_files(shares)
        assert "board" == slots.test_slot(context.session.vault, None, lambda _: secret).slot.label
    return found


def output(home: Path, context: Context) -> object:
    """Whether the output is the old one or the new one; a new one must open to the plaintext."""
    if not (home / "out").exists():
        return None
    found = (home / "out").read_bytes()
    if found in (OLD_OUTPUT, PLAINTEXT):
        return found
    assert PLAINTEXT == samples.ask(context, "Decrypt", CiphertextBlob=found)["Plaintext"]
    return "ciphertext"


CASES = {
    "create-key": Case(("create-key", "--alias", "alias/new"), keys_and_aliases),
    "rotate-key-on-demand": Case(("rotate-key-on-demand", "--key-id", "alias/app"), versions),
    "delete-alias": Case(("delete-alias", "--alias-name", "alias/spare"), keys_and_aliases),
    "slot add": Case(("slot", "add", "--new-keyfile", "second", "--label", "second"), labels_of_slots, ("second",)),
    "slot add --custodians": Case(
        ("slot", "add", "--custodians", "a,b", "--threshold", "2", "--share-folder", ".", "--label", "board"),
        custodians_of_slots,
        ("a.share", "b.share"),
    ),
    "encrypt": Case(("encrypt", "-k", "alias/app", "plain", "-o", "out"), output, (".out.",)),
    "encrypt over a file": Case(("encrypt", "-k", "alias/app", "plain", "-o", "out"), output, (".out.",)),
    "decrypt": Case(("decrypt", "sealed", "-o", "out"), output, (".out.",)),
    "first use of alias/aws/files": Case(("encrypt", "plain", "-o", "out"), keys_and_aliases, ("out", ".out.")),
    "describe-key": Case(("describe-key", "--key-id", "alias/app"), keys_and_aliases),
}


def prepare(home: Path) -> Path:
    """A user's folder with a vault, a plaintext and a ciphertext in it; XDG_STATE_HOME must be `home/state`."""
    home.mkdir()
    samples.init(home / "vault", home / "keyfile")
    with samples.unlocked(home / "vault", secret_of(home)) as context:
        samples.ask(context, "CreateKey", Alias="alias/app")
        samples.ask(context, "CreateKey", Alias="alias/spare")
        sealed = samples.ask(context, "Encrypt", KeyId="alias/app", Plaintext=PLAINTEXT)
    (home / "plain").write_bytes(PLAINTEXT)
    (home / "sealed").write_bytes(sealed["CiphertextBlob"])
    return home


def secret_of(home: Path) -> Secret:
    return Secret.keyfile((home / "keyfile").read_bytes(), path="keyfile")


class Stage:
    """Copies of the prepared folder on which one command is run again and again."""

    def __init__(self, prepared: Path, workplace: Path, name: str) -> None:
        self.prepared = prepared
        self.home = workplace
        self.case = CASES[name]
        self.turn = list(CASES).index(name)
        self.over_a_file = name == "encrypt over a file"
        self.command = Command(self.case.arguments, self.home)
        self.reset()
        self.before = self.observed()
        self.names_before = set(names(self.home))
        self.reset()
        self.calls = self.command.calls()
        self.after = self.observed()
        self.names_after = set(names(self.home))

    def reset(self) -> None:
        shutil.rmtree(self.home)
        shutil.copytree(self.prepared, self.home)
        if self.over_a_file:
            (self.home / "out").write_bytes(OLD_OUTPUT)

    def observed(self) -> object:
        with samples.unlocked(self.home / "vault", secret_of(self.home)) as context:
            return self.case.observe(self.home, context)

    def check(self, where: object, ended: Ended) -> None:
        """All that must hold after a run that was killed or that failed; `where` names the run."""
        with samples.opened(self.home / "vault") as vault:
            audits.verify(vault, full=True)
        found = self.observed()
        assert found in (self.before, self.after), where
        assert ended.code != 0 or found == self.after, where
        with samples.unlocked(self.home / "vault", secret_of(self.home)) as context:
            samples.ask(context, "CreateKey", Alias="alias/afterwards")
            assert 0 == audits.verify(context.session.vault, full=True).torn_bytes, where
        left = set(names(self.home)) - self.names_before - self.names_after
        assert [] == [name for name in sorted(left) if not name.startswith(self.case.leaves or ("/",))], where


def names(home: Path) -> Iterator[str]:
    return (str(path.relative_to(home)) for path in home.rglob("*"))
