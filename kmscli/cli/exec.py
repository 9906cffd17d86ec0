"""`kms exec`: a program with decrypted files in its environment or in memory, in the place of this process.

The program takes the place of kms (execve(2)): its signals, its terminal and its exit code are its own. What kms itself
cannot do ends in 125, a command that cannot be run in 126, one that is not there in 127, as with env(1).
"""

import os
import re
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

from typer import Argument, Context, Option, TyperException

from kmscli import errors
from kmscli.cli import _errors, _progress
from kmscli.cli._new import verbs
from kmscli.cli._settings import Settings
from kmscli.cli._values import context_pairs
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import unlocked
from kmscli.service import executing, opening
from kmscli.service.executing import Wish

app = verbs()

_UNLOCKING = re.compile(r"KMS_(KEYFILE|(NEW_)?PASSPHRASE)(_.*)?|KMS_NEW_KEYFILE")
"""Variables that unlock a vault, or say with what."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFZ", "SIGXFSZ")


class _Exec(Verb):
    """The verb: words from the command on are the command's own, and every failure before it runs is 125."""

    spread = False
    allow_interspersed_args = False

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - classes of the Click inside Typer
        """Read the words; errors as `Verb`, as 125."""
        try:
            return super().parse_args(ctx, args)
        except (errors.KmsError, TyperException) as error:
            raise _failed(error) from error

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - classes of the Click inside Typer
        """Run; errors as 125."""
        try:
            return super().invoke(ctx)
        except (errors.ExecFailedError, errors.CommandNotFoundError, errors.CommandNotRunnableError):
            raise
        except (errors.KmsError, OSError) as error:
            raise _failed(error) from error


def _failed(error: BaseException) -> errors.ExecFailedError:
    known = _errors.translate(error)
    return errors.ExecFailedError(what=f"{known.code}: {known.message}", hint=known.hint)


@app.command("exec", cls=_Exec)
def exec_(
    ctx: Context,
    command: Annotated[list[str], Argument(metavar="[--] CMD [ARG]...", help="The program and its arguments.")],
    env: Annotated[
        list[str] | None,
        Option("--env", metavar="NAME=FILE", help="Variable NAME holds the decrypted FILE; repeatable."),
    ] = None,
    file: Annotated[
        list[str] | None,
        Option("--file", metavar="NAME=FILE", help="Variable NAME is the path of the decrypted FILE; repeatable."),
    ] = None,
    context: Annotated[
        list[str] | None,
        Option("-c", metavar="NAME[=VALUE]", help="What the encryption context of each file must have; repeatable."),
    ] = None,
    keep_unlocking: Annotated[  # noqa: FBT002 - Typer's form of a flag
        bool, Option("--keep-unlocking", help="Leave KMS_KEYFILE, KMS_PASSPHRASE and the like in the environment.")
    ] = False,
) -> None:
    """Run a program with decrypted files: `kms exec --env DB_PASSWORD=db.kms --file TLS_KEY=tls.kms -- CMD ARG...`.

    A variable holds the plaintext, without one newline at its end; a file is in memory, never on a disk, and closed to
    others. All files are decrypted and in the audit log before the program starts, or it does not start. It takes the
    place of kms: signals, terminal and exit code are its own.

    Variables that unlock a vault, such as KMS_KEYFILE, are taken out of its environment. Whoever may look into the
    program (the same user, root) sees what it was given.
    """
    settings = settings_of(ctx)
    wishes = [*_wishes(env, "--env"), *_wishes(file, "--file")]
    _refuse(wishes)
    plan = _plan(context or [])
    with unlocked(settings) as work, _progress.shown(settings) as progress:
        values = executing.decrypt(work, wishes, plan, progress=progress)
    environ = _environ(settings, keep_unlocking=keep_unlocking) | executing.hand_over(wishes, values)
    _become(command, environ, settings)


def _wishes(given: Iterable[str] | None, option: str) -> Iterator[Wish]:
    for text in given or ():
        name, equals, path = text.partition("=")
        if not equals or not path or not _NAME.fullmatch(name):
            raise errors.UsageError(
                problem=f"{option} takes NAME=FILE, not {text!r}", hint="a name has letters, digits and underscores"
            )
        if path == "-":
            raise errors.UsageError(problem=f"{option} {text}: standard input belongs to the program")
        yield Wish(name, Path(path), as_file=option == "--file")


def _refuse(wishes: list[Wish]) -> None:
    if not wishes:
        raise errors.UsageError(problem="nothing is to be decrypted", hint="give --env NAME=FILE or --file NAME=FILE")
    names = [wish.name for wish in wishes]
    for name in names:
        if names.count(name) > 1:
            raise errors.UsageError(problem=f"the variable {name} is given twice")


def _plan(words: list[str]) -> opening.Plan:
    pairs = context_pairs([word for word in words if "=" in word])
    return opening.Plan(encryption_context=pairs, names=tuple(word for word in words if "=" not in word))


def _environ(settings: Settings, *, keep_unlocking: bool) -> dict[bytes, bytes]:
    """The caller's variables, without those that would let the program unlock the vault."""
    return {
        os.fsencode(name): os.fsencode(value)
        for name, value in settings.environ.items()
        if keep_unlocking or not _UNLOCKING.fullmatch(name)
    }


def _become(command: list[str], environ: Mapping[bytes, bytes], settings: Settings) -> NoReturn:
    """Let the program take the place of this process, with what the caller's shell would have given it.

    Core dumps stay off, since it holds the plaintexts now.

    Raises:
        CommandNotFoundError: There is no such program.
        CommandNotRunnableError: It cannot be run.
    """
    for name in _IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if settings.umask is not None:
        os.umask(settings.umask)
    if (text := settings.text("--passphrase-fd")) is not None:
        # A file behind it could be read again from its start.
        os.set_inheritable(int(text), False)  # noqa: FBT003 - it takes no keyword
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - no shell, and that is what the verb is for
    except FileNotFoundError as error:
        raise errors.CommandNotFoundError(command=command[0]) from error
    except OSError as error:
        raise errors.CommandNotRunnableError(command=command[0], reason=error.strerror or str(error)) from error
