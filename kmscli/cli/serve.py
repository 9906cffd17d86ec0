"""`kms serve`: the endpoint, for every AWS client."""

import os
import ssl
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from typer import Context, Option

from kmscli import errors
from kmscli.cli import _io
from kmscli.cli._new import verbs
from kmscli.cli._settings import Settings
from kmscli.cli._verb import Verb, settings_of
from kmscli.cli._work import now, rng, unlocked
from kmscli.storage.turns import Queue

if TYPE_CHECKING:
    from kmscli.awsapi.listening import Listening
    from kmscli.awsapi.worker import Plan
    from kmscli.service.context import Context as Work
    from kmscli.vault.session import Session
    from kmscli.vault.slots import Opened

app = verbs()

_PORTS = range(65536)
_WORKERS_MAX = 64
_WORKERS_USUAL = 4
"""More hardly answer more: each line of the log is signed after the one before it."""


class _Options(msgspec.Struct, frozen=True):
    host: str
    port: int
    unix: Path | None
    workers: int
    tls: ssl.SSLContext | None
    admin: str | None
    rate: float | None


@app.command("serve", cls=Verb)
def serve(  # noqa: PLR0913 - one parameter an option
    ctx: Context,
    *,
    host: Annotated[
        str, Option("--host", metavar="ADDRESS", help="Listen here; another than this machine needs TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, Option("--port", metavar="NUMBER", help="The port; 0 takes a free one.")] = 8443,
    unix: Annotated[
        Path | None, Option("--unix", metavar="PATH", help="Listen on a socket of this user instead.")
    ] = None,
    workers: Annotated[
        int | None,
        Option("--workers", metavar="NUMBER", help="Processes that work side by side; else one a core, up to 4."),
    ] = None,
    tls_cert: Annotated[
        Path | None, Option("--tls-cert", metavar="FILE", help="The certificate chain, in PEM.")
    ] = None,
    tls_key: Annotated[Path | None, Option("--tls-key", metavar="FILE", help="The certificate's key, in PEM.")] = None,
    admin: Annotated[
        str | None,
        Option("--admin", metavar="WHERE", help="Serve /healthz and /metrics on a path, or on [ADDRESS:]PORT."),
    ] = None,
    rate: Annotated[
        float | None,
        Option("--requests-per-second", metavar="NUMBER", help="What each principal may ask for."),
    ] = None,
) -> None:
    """Serve the AWS API, for every SDK and tool of AWS: requests are signed with access keys.

    Unlocked as a root, it keeps the keys and lets policies decide what each caller may do, changes included. When it
    serves, it prints its address. Requests are logged to stderr, a JSON object a line; --quiet logs none.
    """
    settings = settings_of(ctx)
    try:
        from kmscli.awsapi import supervisor
    except ImportError as error:
        raise errors.UsageError(
            problem="kms serve needs more than is installed",
            hint="in the checkout from which kms was installed: pipx install --force '.[serve]'",
        ) from error
    options = _Options(host, port, unix, _cores() if workers is None else workers, _tls(tls_cert, tls_key), admin, rate)
    _check(options)
    with unlocked(settings) as context:
        _check_root(context)
        held = context.session.opened
        principal = context.session.principal
    # Closed again before any process is forked: no handle of the database crosses that.
    plan = _plan(options, settings, principal, held)

    def announce() -> None:
        _io.write_stdout("".join(f"serving {each.name}\n" for each in plan.listening).encode())
        _notify()

    code = supervisor.run(plan, announce, complain=lambda text: _io.note(text, kind="warning"))
    if code:
        raise SystemExit(code)


def _cores() -> int:
    """The cores that this process may use, up to `_WORKERS_USUAL`."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _WORKERS_USUAL)


def _plan(options: _Options, settings: Settings, principal: str, held: "Opened") -> "Plan":
    from kmscli.awsapi import listening
    from kmscli.awsapi.door import Loads
    from kmscli.awsapi.worker import Plan

    found = listening.handed_over(dict(os.environ), tls=options.tls is not None)
    if not found and options.unix is not None:
        found = [listening.on_path(options.unix)]
    elif not found:
        scheme = "https" if options.tls else "http"
        found = [listening.on_tcp(options.host, options.port, scheme=scheme)]

    def open_session() -> "Session":
        from kmscli.vault.folder import Vault
        from kmscli.vault.session import Session

        def warn(text: str) -> None:
            _io.note(text, kind="warning")

        vault = Vault(settings.vault, clock=now, rng=rng, lock_timeout=settings.lock_timeout, warn=warn)
        return Session(vault, principal, held)

    return Plan(
        listening=found,
        admin=[] if options.admin is None else [_admin(options.admin)],
        workers=options.workers,
        rate=options.rate,
        tls=options.tls,
        open_session=open_session,
        queue=Queue(),
        counting=Queue(),
        loads=Loads(options.workers),
        rng=rng,
        debug=settings.flag("--debug"),
        write_log=None if settings.flag("--quiet") else lambda data: _io.write_stderr(data.decode()),
    )


def _admin(where: str) -> "Listening":
    from kmscli.awsapi import listening

    if "/" in where:
        return listening.on_path(Path(where))
    host, _, port = where.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not port.isdigit() or int(port) not in _PORTS:
        raise errors.UsageError(problem=f"--admin takes a path or [ADDRESS:]PORT, not {where}")
    if not listening.is_loopback(host):
        raise errors.UsageError(
            problem=f"--admin is not protected, so it listens on this machine only, not on {host}",
            hint="have a proxy that asks who is there forward to it",
        )
    return listening.on_tcp(host, int(port), scheme="http")


def _check(options: _Options) -> None:
    from kmscli.awsapi import listening

    if options.port not in _PORTS:
        raise errors.UsageError(problem=f"--port takes a number from 0 to 65535, not {options.port}")
    if not 1 <= options.workers <= _WORKERS_MAX:
        raise errors.UsageError(problem=f"--workers takes a number from 1 to {_WORKERS_MAX}, not {options.workers}")
    if options.rate is not None and not 0 < options.rate < inf:
        raise errors.UsageError(problem="--requests-per-second takes a number above 0")
    if options.unix is not None and options.tls is not None:
        raise errors.UsageError(problem="--unix and --tls-cert exclude each other")
    if options.unix is None and options.tls is None and not listening.is_loopback(options.host):
        raise listening.exposed(options.host)


def _check_root(context: "Work") -> None:
    with context.session.read():
        if not context.is_root:
            raise errors.UsageError(
                problem=f"{context.session.principal} is no root of the vault, and cannot act for others",
                hint="choose a root with --principal",
            )


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise errors.UsageError(problem="--tls-cert and --tls-key are given together")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        made.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        reason = f"with {key} it is no certificate and key in PEM that belong together"
        raise errors.InputOutputError(path=cert, reason=reason) from error
    except OSError as error:
        raise errors.InputOutputError(path=cert, reason=error.strerror or str(error)) from error
    return made


def _notify() -> None:
    """Tell systemd that the service is ready (sd_notify(3))."""
    import socket

    if path := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
            made.sendto(b"READY=1", f"\0{path[1:]}" if path.startswith("@") else path)
