"""The sockets of the endpoint: opened before the workers are, so that a worker's end closes none of them.

All workers share each of them, and `door` says who takes which connection.
"""

import os
import socket
import stat
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import msgspec

from kmscli import errors
from kmscli.storage.files import identity, remove_made

BACKLOG = 1024
_FIRST_HANDED = 3


class Listening(msgspec.Struct):
    """A socket on which one kind of request comes.

    Attributes:
        socket: The socket.
        name: The address for people: a URL or a path.
        made: Device and inode of the file that was made at the path; None = there is none of ours.
    """

    socket: socket.socket
    name: str
    made: tuple[int, int] | None = None

    def remove(self) -> None:
        """Remove the file that was made, if it is still the one at the path: what others put there stays.

        Called while the socket is open: until it is closed no other file gets its inode.
        """
        if self.made is not None:
            # Where its folder may not be changed it stays, and the next start makes room.
            with suppress(OSError):
                remove_made(Path(self.name), self.made)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def on_tcp(host: str, port: int, *, scheme: str) -> Listening:
    """Listen on an address; port 0 takes a free one.

    Raises:
        InputOutputError: It cannot be had.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(BACKLOG)
        except OSError:
            made.close()
            raise
    except OSError as error:
        raise errors.InputOutputError(path=where, reason=error.strerror or str(error)) from error
    return Listening(made, _url(scheme, host, made.getsockname()[1]))


def on_path(path: Path) -> Listening:
    """Listen on a path of this user's alone; a socket that nobody listens on any more makes room.

    Raises:
        InputOutputError: It cannot be had, or something else is there.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        made.bind(os.fspath(path))
        listening = Listening(made, os.fspath(path), identity(path.lstat()))
        path.chmod(0o600)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise errors.InputOutputError(path=path, reason=error.strerror or str(error)) from error
    return listening


def _clear(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        return  # `bind` says that the address is in use
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                path.unlink()


def handed_over(environ: dict[str, str], *, tls: bool) -> list[Listening]:
    """What systemd hands over (sd_listen_fds(3)); nothing if it is not meant for this process.

    Args:
        environ: The environment.
        tls: Whether TCP is served over TLS.

    Raises:
        InputOutputError: A descriptor is no socket that listens: that of one client, or of datagrams.
        UsageError: One is open to other machines, and there is no TLS.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()) or not environ.get("LISTEN_FDS", "").isdigit():
        return []
    return [_handed(number, tls=tls) for number in range(_FIRST_HANDED, _FIRST_HANDED + int(environ["LISTEN_FDS"]))]


def _handed(number: int, *, tls: bool) -> Listening:
    try:
        os.set_inheritable(number, False)  # noqa: FBT003 - it takes no keyword
        handed = socket.socket(fileno=number)
        name = handed.getsockname()
        listens = handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise errors.InputOutputError(path=f"descriptor {number}", reason=error.strerror or str(error)) from error
    if not listens:
        raise errors.InputOutputError(path=f"descriptor {number}", reason="it is no socket on which clients come")
    if isinstance(name, str):
        return Listening(handed, name)
    host, port = name[:2]
    if not tls and not is_loopback(host):
        raise exposed(host)
    return Listening(handed, _url("https" if tls else "http", host, port))


def exposed(host: str) -> errors.UsageError:
    """That an address is open to other machines, without TLS."""
    return errors.UsageError(
        problem=f"listening on {host} without TLS would show every secret to the network",
        hint="give --tls-cert and --tls-key",
    )


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
