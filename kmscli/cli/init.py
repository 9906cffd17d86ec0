"""`kms init`."""

from typing import Annotated

import msgspec
from typer import Context, Option

from kmscli.cli import _forms, _io, _unlock
from kmscli.cli._new import NewCommand, NewFd, NewFile, NewKeyfile, verbs
from kmscli.cli._render import Output
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import now, rng
from kmscli.crypto import kdf
from kmscli.model import ids
from kmscli.service.vaults import FIRST_PRINCIPAL, InitRequest, check_init, init_vault
from kmscli.vault.secrets import Secret

app = verbs()


@app.command("init", cls=Verb)
def init(
    ctx: Context,
    account: Annotated[
        str, Option("--account", metavar="ID", help="Account number in the ARNs of the vault: 12 digits.")
    ] = ids.DEFAULT_ACCOUNT,
    kdf_memory: Annotated[
        int, Option("--kdf-memory", metavar="MIB", help="Memory that one guess of a passphrase costs.")
    ] = kdf.DEFAULT_MEMORY_MIB,
    label: Annotated[str, Option("--label", metavar="TEXT", help="Label of the first slot.")] = "first",
    new_fd: NewFd = None,
    new_file: NewFile = None,
    new_command: NewCommand = None,
    new_keyfile: NewKeyfile = None,
) -> None:
    """Create a vault, its first principal (admin, or --principal) and the first slot to unlock it.

    Prints the root fingerprint: write it down, it is how this vault is told from a forged one.
    """
    settings = settings_of(ctx)
    output = Output(settings, default="people")
    new = _unlock.new_options(new_fd, new_file, new_command, new_keyfile)
    request = InitRequest(
        folder=settings.vault,
        secret=None,
        keyfile=new.keyfile_path,
        principal=settings.text("--principal") or FIRST_PRINCIPAL,
        region=settings.text("--region") or ids.DEFAULT_REGION,
        account=account,
        kdf_memory_mib=kdf_memory,
        label=label,
    )
    check_init(request)
    found = _unlock.new_secret(settings, new, f"{request.principal} of the new vault")
    secret = found if isinstance(found, Secret) else None
    made = init_vault(msgspec.structs.replace(request, secret=secret), clock=now, rng=rng)
    output.show(made, _forms.labelled(made))
    if not settings.flag("--quiet"):
        _io.note("write the root fingerprint down: it is how this vault is told from a forged one")
        _io.note("add a second slot with `kms slot add --label NAME`: whoever loses the only one loses every key")
