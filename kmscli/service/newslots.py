"""What a new slot of the acting principal is made of, and the files that its holders get.

The files are written before the slot is, so that no slot is there which nobody can open, and taken back if it is
certain that the slot does not come to be.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.formats import custodianshare, quorum
from kmscli.formats import keyfile as keyfiles
from kmscli.formats.slot import Slot
from kmscli.service.context import Context
from kmscli.storage import files
from kmscli.storage.lock import derivation_queue
from kmscli.vault import custodians, slots
from kmscli.vault.secrets import Secret

SHARE_SUFFIX = ".share"
Files = Mapping[Path, bytes]
"""The path of each file to make -> its content."""


class Custodians(msgspec.Struct, frozen=True):
    """Who is to open a new slot together.

    Attributes:
        names: The custodians.
        threshold: How many of them are needed.
        folder: Where the share of each is to be made, as NAME.share.
    """

    names: tuple[str, ...]
    threshold: int
    folder: Path


NewSecret = Secret | Path | Custodians
"""What opens a new slot: a secret, the path of a keyfile to make, or custodians."""


def check(new: NewSecret) -> None:
    """Refuse what cannot open a slot, before anything is derived.

    Raises:
        ValidationError: Custodians that are out of bounds.
    """
    if isinstance(new, Custodians):
        quorum.check_bounds(new.names, new.threshold)


def make(context: Context, new: NewSecret, label: str) -> tuple[Slot, Files]:
    """A slot that opens with `new`, and the files to make for its holders."""
    if isinstance(new, Secret):
        return _slot(context, new, label), {}
    raw = context.rng(keyfiles.SECRET_BYTES)
    if isinstance(new, Path):
        return _slot(context, Secret("keyfile", raw), label), {new: keyfiles.encode(raw)}
    secret = Secret("custodians", raw)
    made = _slot(context, secret, label)
    made, shares = custodians.entrust(context.rng, made, secret, names=new.names, threshold=new.threshold)
    return made, {new.folder / (share.name + SHARE_SUFFIX): custodianshare.encode(share) for share in shares}


def _slot(context: Context, secret: Secret, label: str) -> Slot:
    session = context.session
    with session.read() as snapshot:
        memory = max(snapshot.vault.kdf_memory_mib, session.vault.config.kdf_memory_mib)
    queued = derivation_queue(session.vault.paths.lock, timeout=session.vault.lock_timeout)
    with queued if secret.kind == "passphrase" else nullcontext():
        return slots.make(
            context.rng,
            session.opened,
            secret,
            principal=session.principal,
            name=label,
            memory_mib=memory,
            now=session.vault.clock(),
        )


@contextmanager
def written(contents: Files) -> Iterator[None]:
    """Make the files, and take them back if their slot is certain not to be written.

    Raises:
        FileExistsAlreadyError: Something has one of the names; then none of them is made.
        InputOutputError: One cannot be written; the same.
    """
    made: list[Path] = []
    try:
        for path, content in contents.items():
            files.create_private(path, content)
            made.append(path)
    except BaseException:  # whatever it was, nothing is committed yet
        _take_back(made)
        raise
    try:
        yield
    except errors.KmsError as error:
        # Where the commit may have happened, the slot may be there, and perhaps it is the last one: its files stay.
        if not isinstance(error, errors.AuditUnavailableError | errors.InputOutputError):
            _take_back(made)
        raise


def _take_back(made: list[Path]) -> None:
    for path in made:
        path.unlink(missing_ok=True)
