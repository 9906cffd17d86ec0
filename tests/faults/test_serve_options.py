"""Where and how the endpoint serves: addresses, sockets of others, TLS, health and counts, limits of callers."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import IO

import boto3  # type: ignore[import-untyped]
import botocore.exceptions  # type: ignore[import-untyped]
import pytest
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.desk import Answer, read, request
from tests.endpoint import KMS, REGION, Place, Served, allow, children, place, serving

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def vault() -> Iterator[Place]:
    with place("options") as made:
        made.access_key()
        yield made


def ask(where: Place, made: socket.socket, operation: str, principal: str = "admin", **members: object) -> Answer:
    """The answer to one request over a socket."""
    key = where.access_key(principal)
    credentials = Credentials(key.access_key_id, key.secret)
    made.sendall(request(credentials, REGION, operation, json.dumps(members).encode()))
    text = b""
    while (found := read(text)) is None:
        more = made.recv(65536)
        assert more, "the server ended the connection"
        text += more
    return found[0]


def get(path: str, where: str) -> tuple[int, str]:
    """A page of the admin socket."""
    if where.startswith("/"):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(where)
    else:
        connection = http.client.HTTPConnection(where)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


# -- addresses ---------------------------------------------------------------------------------------------------------


def test_a_path_is_of_this_user_alone(vault: Place) -> None:
    path = vault.folder / "kms.sock"
    with serving(vault, listen=("--unix", str(path))) as served:
        assert str(path) == served.url
        assert 0o600 == path.stat().st_mode & 0o777
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(str(path))
            answer = ask(vault, made, "GenerateRandom", NumberOfBytes=8)
        assert 200 == answer.status
        assert "local" == vault.line(answer.headers["x-amzn-requestid"])["sourceIPAddress"]
        refused = subprocess.run(
            [KMS, "serve", "--unix", str(path)], env=vault.environ, capture_output=True, check=False
        )
        assert (1, b"in use" in refused.stderr) == (refused.returncode, True), refused.stderr
        assert path.is_socket()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_path_that_it_made_is_gone_with_it(vault: Place, number: signal.Signals) -> None:
    (vault.folder / "run").mkdir(exist_ok=True)
    served = Served(vault, ["--workers", "2", "--admin", "run/admin.sock"], listen=("--unix", "run/kms.sock"))
    assert {"admin.sock", "kms.sock"} == {each.name for each in (vault.folder / "run").iterdir()}
    served.process.send_signal(number)
    assert 0 == served.process.wait(20)
    served.stop()
    assert not list((vault.folder / "run").iterdir())


@pytest.mark.parametrize("what", ["a socket", "a file", "a link", "nothing"])
def test_what_others_put_in_the_place_of_its_path_stays(vault: Place, what: str) -> None:
    path, ours = vault.folder / "taken.sock", vault.folder / "ours.sock"
    with socket.socket(socket.AF_UNIX) as other:
        with serving(vault, listen=("--unix", str(path))):
            path.rename(ours)
            if what == "a socket":
                other.bind(str(path))
            elif what == "a file":
                path.write_text("keep")
            elif what == "a link":
                path.symlink_to(ours)
        assert os.path.lexists(path) == (what != "nothing")
        assert ours.is_socket()
    ours.unlink()
    path.unlink(missing_ok=True)


def test_a_path_that_a_killed_server_left_is_taken(vault: Place) -> None:
    path = vault.folder / "left.sock"
    served = Served(vault, [], listen=("--unix", str(path)))
    served.kill()
    assert path.is_socket()
    end = time.monotonic() + 20
    while time.monotonic() < end:  # its worker ends by itself, and listens until then
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)):
                break
        time.sleep(0.05)
    with serving(vault, listen=("--unix", str(path))), socket.socket(socket.AF_UNIX) as made:
        made.connect(str(path))
        assert 200 == ask(vault, made, "GenerateRandom", NumberOfBytes=8).status
    assert not path.exists()


def test_a_file_in_the_place_of_a_socket_stays(vault: Place) -> None:
    path = vault.folder / "notes"
    path.write_text("keep")
    vault.kms("serve", "--unix", str(path), code=1)
    assert "keep" == path.read_text()


def test_a_port_that_another_has_is_not_shared(vault: Place) -> None:
    with serving(vault, "--workers", "2") as served:
        port = served.url.rpartition(":")[2]
        vault.kms("serve", "--port", port, code=1)


def test_the_second_version_of_the_internet_protocol_works_too(vault: Place) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no ::1 here")
    with serving(vault, "--host", "::1") as served:
        assert served.url.startswith("http://[::1]:")
        served.client().generate_random(NumberOfBytes=8)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--host", "0.0.0.0"], "without TLS"),  # noqa: S104 - it is refused
        (["--host", "192.0.2.1"], "without TLS"),
        (["--host", "::"], "without TLS"),
        (["--host", "example.org"], "without TLS"),
        (["--port", "65536"], "--port"),
        (["--port", "-1"], "--port"),
        (["--port", "x"], "x"),
        (["--workers", "0"], "--workers"),
        (["--workers", "65"], "--workers"),
        (["--requests-per-second", "0"], "--requests-per-second"),
        (["--requests-per-second", "nan"], "--requests-per-second"),
        (["--requests-per-second", "inf"], "--requests-per-second"),
        (["--tls-cert", "cert.pem"], "together"),
        (["--tls-key", "key.pem"], "together"),
        (["--admin", "0.0.0.0:9000"], "this machine"),
        (["--admin", "localhost:http"], "--admin"),
        (["--admin", "127.0.0.1:70000"], "--admin"),
        (["--no-such"], "--no-such"),
    ],
)
def test_wrong_options_are_refused_in_words(vault: Place, options: list[str], text: str) -> None:
    done = subprocess.run([KMS, "serve", *options], env=vault.environ, capture_output=True, check=False, timeout=60)
    assert (2, True) == (done.returncode, text.encode() in done.stderr), done.stderr
    assert b"" == done.stdout


def test_without_its_extra_it_says_how_the_readme_installs_that(vault: Place) -> None:
    absent = "import sys; sys.modules['httptools'] = None; from kmscli._fast import main; sys.exit(main())"
    refused = subprocess.run(
        [sys.executable, "-c", absent, "serve"], env=vault.environ, capture_output=True, check=False, text=True
    )
    assert 2 == refused.returncode
    first, hint = refused.stderr.splitlines()
    assert "kms: error: UsageError: kms serve needs more than is installed" == first
    assert f"$ {hint.rpartition(': ')[2]}" in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_who_is_no_root_cannot_serve(vault: Place) -> None:
    vault.principal("clerk", allow("kms:*"))
    environ = vault.environ | {"KMS_KEYFILE": str(vault.folder / "clerk.key"), "KMS_PRINCIPAL": "clerk"}
    done = subprocess.run([KMS, "serve", "--port", "0"], env=environ, capture_output=True, check=False, timeout=60)
    assert (2, True) == (done.returncode, b"no root" in done.stderr), done.stderr


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(vault: Place) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kms.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = vault.folder / "cert.pem", vault.folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert, secret


def test_over_tls_any_address_is_served(vault: Place, certificate: tuple[Path, Path]) -> None:
    cert, secret = certificate
    options = ("--tls-cert", str(cert), "--tls-key", str(secret), "--workers", "2")
    with serving(vault, "--host", "0.0.0.0", *options) as served:  # noqa: S104 - with TLS it may
        port = served.url.rpartition(":")[2]
        assert f"https://0.0.0.0:{port}" == served.url
        key = vault.access_key()
        client = boto3.client(
            "kms",
            endpoint_url=f"https://127.0.0.1:{port}",
            region_name=REGION,
            verify=str(cert),
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret,
        )
        assert 8 == len(client.generate_random(NumberOfBytes=8)["Plaintext"])
        client.close()
        # Who speaks no TLS, or an old one, gets nothing.
        with socket.create_connection(("127.0.0.1", int(port))) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")
        trusting = ssl.create_default_context(cafile=str(cert))
        with (
            socket.create_connection(("127.0.0.1", int(port))) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as made,
        ):
            assert made.version() in {"TLSv1.2", "TLSv1.3"}
            made.sendall(b"\0\0")
            assert made.recv(1000).startswith(b"HTTP/1.1 400 ")


def test_a_certificate_that_cannot_be_read_is_named(vault: Place, certificate: tuple[Path, Path]) -> None:
    vault.kms("serve", "--tls-cert", "/nonexistent.pem", "--tls-key", str(certificate[1]), code=1)
    vault.kms("serve", "--tls-cert", str(certificate[1]), "--tls-key", str(certificate[1]), code=1)


# -- health and counts -------------------------------------------------------------------------------------------------


def counted(text: str, operation: str, outcome: str) -> int:
    found = re.search(rf'kms_requests_total{{operation="{operation}",outcome="{outcome}"}} (\d+)', text)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("form", ["path", "port", "address"])
def test_health_and_counts_of_all_workers_have_a_socket_of_their_own(vault: Place, form: str) -> None:
    where = str(vault.folder / "admin.sock") if form == "path" else f"127.0.0.1:{free_port()}"
    option = where.rpartition(":")[2] if form == "port" else where
    with serving(vault, "--workers", "2", "--admin", option) as served:
        assert (200, "ok\n") == get("/healthz", where)
        for _ in range(6):  # connections of their own, so that both workers get some
            with contextlib.closing(served.client()) as client:
                client.generate_random(NumberOfBytes=8)
                with pytest.raises(client.exceptions.NotFoundException):
                    client.describe_key(KeyId="alias/none")
        status, text = get("/metrics", where)
        assert 200 == status
        assert 6 == counted(text, "GenerateRandom", "ok")
        assert 6 == counted(text, "DescribeKey", "refused")
        assert "kms_request_seconds_count 12\n" in text
        assert "kms_worker_starts_total 2\n" in text
        assert 404 == get("/", where)[0]
        # The API is not on that socket, nor are the counts where the API is.
        assert get("/metrics", served.url.removeprefix("http://"))[0] >= 400


def test_a_vault_that_cannot_be_read_is_not_healthy(vault: Place) -> None:
    where = str(vault.folder / "health.sock")
    moved = vault.folder / "moved"
    with serving(vault, "--admin", where):
        (vault.folder / "vault").rename(moved)
        try:
            status, text = get("/healthz", where)
        finally:
            moved.rename(vault.folder / "vault")
        assert 503 == status, text
        assert (200, "ok\n") == get("/healthz", where)


# -- processes ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system binds no process to cores")
def test_there_is_a_worker_for_each_core_up_to_four(vault: Place) -> None:
    before = os.sched_getaffinity(0)
    with serving(vault) as served:
        workers = children(served.process.pid)
        assert min(len(before), 4) == len(workers)
        kept = [os.sched_getaffinity(each) for each in workers]
        assert before == set().union(*kept)
        assert len(before) > 4 or sum(map(len, kept)) == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        with serving(vault) as served:
            assert 1 == len(children(served.process.pid))
    finally:
        os.sched_setaffinity(0, before)


# -- limits of callers -------------------------------------------------------------------------------------------------


def test_a_principal_may_ask_so_often_and_takes_nothing_from_others(vault: Place) -> None:
    vault.principal("busy", allow("kms:GenerateRandom"))
    with serving(vault, "--workers", "1", "--requests-per-second", "5") as served:
        busy, admin = served.client("busy"), served.client()
        outcomes = []
        for _ in range(12):
            try:
                busy.generate_random(NumberOfBytes=8)
                outcomes.append("ok")
            except botocore.exceptions.ClientError as error:
                outcomes.append(error.response["Error"]["Code"])
        assert {"ok", "ThrottlingException"} == set(outcomes)
        assert ["ok"] * 5 == outcomes[:5]
        admin.generate_random(NumberOfBytes=8)
        time.sleep(0.5)
        busy.generate_random(NumberOfBytes=8)
        # A stranger who names its access key uses up nothing of it.
        time.sleep(1.1)
        forged = Credentials(vault.access_key("busy").access_key_id, "x" * 40)
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as made:
            made.sendall(request(forged, REGION, "GenerateRandom", b"{}") * 10)
            text = b""
            while text.count(b"HTTP/1.1 400") < 10:
                text += made.recv(65536)
            assert 10 == text.count(b"InvalidSignatureException")
        busy.generate_random(NumberOfBytes=8)
        busy.close()
        admin.close()


def test_a_limit_is_that_of_the_server_however_many_workers_it_has(vault: Place) -> None:
    vault.principal("swift", allow("kms:GenerateRandom"))
    rate, asked = 10, 20
    with (
        serving(vault, "--workers", "2", "--requests-per-second", str(rate)) as served,
        contextlib.ExitStack() as stack,
    ):
        # A connection each, and a worker each.
        clients = [stack.enter_context(contextlib.closing(served.client("swift"))) for _ in range(2)]
        began, done = time.monotonic(), 0
        for each in clients * asked:
            with contextlib.suppress(botocore.exceptions.ClientError):
                each.generate_random(NumberOfBytes=8)
                done += 1
        assert rate <= done <= rate * (1 + time.monotonic() - began)
        assert done < len(clients) * asked


# -- socket activation -------------------------------------------------------------------------------------------------

ACTIVATE = """
import os, sys
count = int(sys.argv[1])
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(count)
os.environ["LISTEN_FDNAMES"] = ":".join(["kms-serve.socket"] * count)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Activated:
    """A server that was given its sockets, as systemd gives them: from descriptor 3 on."""

    def __init__(
        self, where: Place, sockets: Sequence[socket.socket | IO[bytes]], *options: str, notify: Path | None = None
    ) -> None:
        def hand_over() -> None:
            for number, each in enumerate(kept):
                os.dup2(each, 3 + number)

        kept = [os.dup(each.fileno()) for each in sockets]
        high = [os.dup2(each, 100 + number, inheritable=True) for number, each in enumerate(kept)]
        for each in kept:
            os.close(each)
        kept = high
        environ = where.environ | ({} if notify is None else {"NOTIFY_SOCKET": str(notify)})
        self.process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(len(sockets)), KMS, "serve", *options],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            preexec_fn=hand_over,  # noqa: PLW1509 - only dup2 runs there
        )
        for each in high:
            os.close(each)

    def end(self) -> tuple[int, str, str]:
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out.decode(), err.decode()


def test_sockets_that_were_handed_over_are_served(vault: Place, tmp_path: Path) -> None:
    with (
        socket.socket() as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
    ):
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        told.bind(str(tmp_path / "n"))
        told.settimeout(30)
        activated = Activated(vault, [tcp, unix], "--workers", "2", notify=tmp_path / "n")
        assert b"READY=1" == told.recv(100)
        for address, family in ((tcp.getsockname(), socket.AF_INET), (unix.getsockname(), socket.AF_UNIX)):
            with socket.socket(family) as made:
                made.connect(address)
                assert 200 == ask(vault, made, "GenerateRandom", NumberOfBytes=8).status
        code, out, err = activated.end()
        port = tcp.getsockname()[1]
        assert (0, f"serving http://127.0.0.1:{port}\nserving {tmp_path / 's'}\n") == (code, out), err
        assert (tmp_path / "s").is_socket()  # it is systemd's


def test_a_handed_socket_that_is_open_to_others_needs_tls(vault: Place) -> None:
    with socket.socket() as tcp:
        tcp.bind(("0.0.0.0", 0))  # noqa: S104 - that is refused
        tcp.listen()
        activated = Activated(vault, [tcp])
        out, err = activated.process.communicate(timeout=30)
    assert (2, b"", True) == (activated.process.returncode, out, b"without TLS" in err), err


@pytest.mark.parametrize("what", ["a datagram socket", "a socket of one client", "a file"])
def test_what_is_handed_over_and_cannot_be_served_is_refused(vault: Place, what: str) -> None:
    one, two = socket.socketpair()
    with one, two, socket.socket(type=socket.SOCK_DGRAM) as datagram, (vault.folder / "admin.key").open("rb") as file:
        datagram.bind(("127.0.0.1", 0))
        every: dict[str, socket.socket | IO[bytes]] = {
            "a datagram socket": datagram,
            "a socket of one client": one,
            "a file": file,
        }
        activated = Activated(vault, [every[what]])
        try:
            out, err = activated.process.communicate(timeout=30)
        finally:
            activated.process.kill()
    assert (1, b"", True) == (activated.process.returncode, out, b"descriptor 3: " in err), err


SOCKET_ACTIVATE = shutil.which("systemd-socket-activate")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_systemd_hands_over_its_sockets(vault: Place, tmp_path: Path, number: signal.Signals) -> None:
    port, path = free_port(), tmp_path / "kms.sock"
    words = [str(SOCKET_ACTIVATE), "--listen", f"127.0.0.1:{port}", "--listen", str(path), "--fdname", "tcp:unix"]
    passed = [f"--setenv={name}={value}" for name, value in vault.environ.items()]
    with subprocess.Popen(
        [*words, *passed, KMS, "serve", "--quiet"],
        env=vault.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as activated:
        try:
            addresses: list[tuple[str | tuple[str, int], socket.AddressFamily]] = [
                (str(path), socket.AF_UNIX),
                (("127.0.0.1", port), socket.AF_INET),
            ]
            for address, family in addresses:
                with socket.socket(family) as made:
                    until_it_listens(made, address)
                    # The first client starts the server, and waits for it.
                    assert 200 == ask(vault, made, "GenerateRandom", NumberOfBytes=8).status
            # Told when all workers serve, which may be after the first of them has answered.
            told = [activated.stdout.readline().decode() for _ in addresses] if activated.stdout else []
            assert [f"serving http://127.0.0.1:{port}\n", f"serving {path}\n"] == told
            activated.send_signal(number)
            out, err = activated.communicate(timeout=30)
        except BaseException:
            activated.kill()
            raise
    assert (0, b"") == (activated.returncode, out), err
    assert path.is_socket()


if SOCKET_ACTIVATE is None:
    # No skip: the tests above hand over sockets in the same way, and no machine must have systemd for them.
    del test_systemd_hands_over_its_sockets


def until_it_listens(made: socket.socket, address: str | tuple[str, int]) -> None:
    """Connect, as soon as somebody listens."""
    end = time.monotonic() + 20
    while error := made.connect_ex(address):
        assert time.monotonic() < end, os.strerror(error)
        time.sleep(0.02)


def test_sockets_for_another_process_are_not_taken(vault: Place) -> None:
    vault.environ |= {"LISTEN_PID": "1", "LISTEN_FDS": "3"}
    try:
        with serving(vault) as served:
            served.client().generate_random(NumberOfBytes=8)
    finally:
        del vault.environ["LISTEN_PID"], vault.environ["LISTEN_FDS"]


def test_the_access_log_tells_who_asked_for_what_and_no_secret(vault: Place) -> None:
    with serving(vault) as served:
        client = served.client()
        answer = client.generate_random(NumberOfBytes=8)
        found = None
        while found is None:  # it is written after the answer has left
            lines = served.accesses()
            found = next((x for x in lines if x["requestId"] == answer["ResponseMetadata"]["RequestId"]), None)
        assert ("GenerateRandom", "admin", 200, "127.0.0.1") == tuple(
            found[name] for name in ("operation", "principal", "status", "source")
        )
        assert vault.access_key().secret not in served.log.read_text()


def test_quiet_logs_no_requests(vault: Place) -> None:
    with serving(vault, "--quiet") as served:
        before = served.log.read_bytes()
        served.client().generate_random(NumberOfBytes=8)
    assert before == served.log.read_bytes()
