"""Creating a vault, and what can be said of one without a secret."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.crypto import kdf
from kmscli.model import ids, limits
from kmscli.model.ids import Place
from kmscli.service import events
from kmscli.service.callers import Caller
from kmscli.service.shapes import Response
from kmscli.storage.paths import pin_file
from kmscli.vault import init as vault_init
from kmscli.vault import pin
from kmscli.vault.folder import Vault
from kmscli.vault.journal import behind_its_log
from kmscli.vault.secrets import Secret
from kmscli.vault.snapshot import Snapshot

FIRST_PRINCIPAL = "admin"
"""Who makes a vault, unless another name is given."""


class InitRequest(msgspec.Struct, frozen=True):
    """What `kms init` was asked for; `secret` is the first slot's, or None when `keyfile` names one to make."""

    folder: Path
    secret: Secret | None
    keyfile: Path | None
    principal: str = FIRST_PRINCIPAL
    region: str = ids.DEFAULT_REGION
    account: str = ids.DEFAULT_ACCOUNT
    kdf_memory_mib: int = kdf.DEFAULT_MEMORY_MIB
    label: str = "first"


class InitResponse(Response, frozen=True, kw_only=True):
    """The new vault."""

    vault: str
    vault_id: str
    principal: str
    arn: str
    root_fingerprint: str


def check_init(request: InitRequest) -> None:
    """Refuse what cannot become a vault, before anybody is asked for a passphrase.

    Raises:
        KmsError: ValidationException, or the vault or the keyfile exists.
    """
    vault_init.check(_plan(request))


def init_vault(request: InitRequest, *, clock: Callable[[], datetime], rng: Callable[[int], bytes]) -> InitResponse:
    """Create a vault, whole or not at all.

    Raises:
        KmsError: As `check_init`; InputOutputError, and then nothing is left.
    """
    plan = _plan(request)
    parameters = {"region": request.region, "account": request.account, "principal": request.principal}
    outcome = events.Outcome(parameters)
    event = events.event("CreateVault", Caller(request.principal), plan.place, rng, read_only=False, outcome=outcome)
    made = vault_init.init(plan, event, clock=clock, rng=rng)
    return InitResponse(
        vault=str(request.folder),
        vault_id=made.vault_id,
        principal=request.principal,
        arn=ids.user_arn(plan.place, request.principal),
        root_fingerprint=made.fingerprint.hex(),
    )


def _plan(request: InitRequest) -> vault_init.Plan:
    return vault_init.Plan(
        folder=request.folder,
        principal=ids.check_principal_name(request.principal),
        place=ids.check_place(Place(request.account, request.region)),
        kdf_memory_mib=kdf.check_memory(request.kdf_memory_mib),
        secret=request.secret,
        keyfile=request.keyfile,
        label=check_label(request.label),
    )


def check_label(label: str) -> str:
    """`label`, if it can stand on a slot.

    Raises:
        ValidationError: Empty, too long, or not printable.
    """
    if not 1 <= len(label) <= limits.SLOT_LABEL_MAX or not label.isprintable():
        raise errors.ValidationError(
            problem="the label of a slot takes 1 to 64 printable characters", hint="such as laptop, ci or safe"
        )
    return label


class StatusResponse(Response, frozen=True, kw_only=True):
    """A vault as anybody who can read its files sees it; its signatures are checked, its roots are taken as they are.

    Attributes:
        root_fingerprint: To be compared with what `kms init` printed.
        seen_before: Whether this user used the vault and found the same roots then.
        pending_shares: The principals whose shares of keys do not yet follow what they may use.
    """

    vault: str
    vault_id: str
    root_fingerprint: str
    seen_before: bool
    region: str
    account: str
    creation_date: datetime
    generation: int
    keys: int
    aliases: int
    principals: int
    slots: int
    damaged_slots: int
    audit_lines: int
    pending_shares: list[str] | None = None


def status(vault: Vault) -> StatusResponse:
    """What can be said of a vault without a secret.

    Raises:
        KmsError: The vault is damaged, was tampered with, or went back in time.
    """
    good, damaged = vault.slots()
    # Without a lock, what is read first may be behind what is read later, never ahead: the log and the pin come first.
    tail = vault.log.tail()
    with vault.store.snapshot():
        path = pin_file(Snapshot(vault.store, None).head.vault_id)
    seen = pin.load(path)
    with vault.store.snapshot():
        snapshot = Snapshot(vault.store, None)
        if tail.generation > snapshot.head.generation:
            raise behind_its_log(snapshot.head.generation, tail.generation, path)
        if seen:
            pin.check_state(seen, path, snapshot)
        kinds = Counter(name.partition("/")[0] for _, name in snapshot.group_names("", (0, "")))
        return StatusResponse(
            vault=str(vault.paths.folder),
            vault_id=snapshot.head.vault_id,
            root_fingerprint=snapshot.fingerprint.hex(),
            seen_before=seen is not None,
            region=snapshot.place.region,
            account=snapshot.place.account,
            creation_date=snapshot.vault.created,
            generation=snapshot.head.generation,
            keys=kinds["key"],
            aliases=kinds["alias"],
            principals=kinds["principal"],
            slots=len(good),
            damaged_slots=len(damaged),
            audit_lines=tail.seq,
            pending_shares=list(snapshot.walks) or None,
        )
