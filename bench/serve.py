"""The endpoint beside moto's server: the same requests by wrk on loopback, signature, policy and audit line on.

Each row is the rate of `kms serve` over that of moto (which checks and writes nothing), by the clock and by the seconds
of a core that the server took, with the time that 99 of 100 requests stay below. Both run as they do unless told
otherwise: moto as one process, kms as one for each core. What a second worker brings stands beside what it brings a
server that has no vault and as much work (`_bareserver.py`): the rest, the machine and the program that asks hold.
Needs wrk, and the extra `interop`.
Usage: `serve.py [SECONDS]`.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from _measure import machine, report
from _vaults import workplace
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from botocore.session import Session  # type: ignore[import-untyped]

REGION = "us-east-1"
SECONDS = 5
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")
BIN = Path(sys.executable).parent
SCRIPT = """
local text = io.open(os.getenv("KMS_BENCH_REQUEST")):read("*a")
request = function() return text end
"""


class Server(NamedTuple):
    """A server under test: its address, its processes, and the credentials it takes."""

    url: str
    pids: list[int]
    credentials: Credentials
    key: str


class Rate(NamedTuple):
    """Requests a second of the clock, and of a core; milliseconds below which 99 of 100 stay."""

    wall: float
    core: float
    p99: float


def _kms(*words: str) -> bytes:
    return subprocess.run(
        [str(BIN / "kms"), *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout


@contextmanager
def kms(*options: str) -> Iterator[Server]:
    """A new vault, served."""
    with workplace() as folder:
        os.environ |= {"KMS_VAULT": str(folder / "vault"), "KMS_KEYFILE": str(folder / "key")}
        subprocess.run(
            [str(BIN / "kms"), "init", "--region", REGION, "--new-keyfile", str(folder / "key")],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        key = json.loads(_kms("create-key"))["KeyMetadata"]["KeyId"]
        made = json.loads(_kms("access-key", "create", "admin"))["AccessKey"]
        server = subprocess.Popen(
            [str(BIN / "kms"), "serve", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            line = server.stdout.readline() if server.stdout else ""
            pids = [server.pid, *_children(server.pid)]
            yield Server(line.split()[1], pids, Credentials(made["AccessKeyId"], made["SecretAccessKey"]), key)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


@contextmanager
def bare(workers: str) -> Iterator[Server]:
    """A server that has no vault and as much work."""
    with workplace() as folder:
        argv = [sys.executable, str(Path(__file__).with_name("_bareserver.py")), workers]
        server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=folder, start_new_session=True)
        try:
            line = server.stdout.readline() if server.stdout else ""
            yield Server(line.split()[1], [server.pid, *_children(server.pid)], Credentials("a", "b"), "none")
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@contextmanager
def moto() -> Iterator[Server]:
    """Moto's server, with one key."""
    port = 5999
    server = subprocess.Popen(
        [str(BIN / "moto_server"), "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url, credentials = f"http://127.0.0.1:{port}", Credentials("a", "b")
        client = _client(url, credentials)
        yield Server(url, [server.pid], credentials, _until_it_answers(client)["KeyMetadata"]["KeyId"])
    finally:
        server.terminate()
        server.wait()


def _client(url: str, credentials: Credentials) -> Any:  # noqa: ANN401 - botocore has no types
    return Session().create_client(
        "kms",
        REGION,
        endpoint_url=url,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
    )


def _until_it_answers(client: Any) -> Any:  # noqa: ANN401 - botocore has no types
    for _ in range(200):
        try:
            return client.create_key()
        except Exception:  # noqa: BLE001 - it is not there yet
            time.sleep(0.1)
    sys.exit("the server does not answer")


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _ticks(pids: list[int]) -> int:
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields)


def requests(server: Server) -> dict[str, dict[str, str]]:
    """The bodies that are sent, by operation; 1 KiB each."""
    data = b64encode(os.urandom(1024)).decode()
    sealed = _client(server.url, server.credentials).encrypt(KeyId=server.key, Plaintext=os.urandom(1024))
    return {
        "Encrypt": {"KeyId": server.key, "Plaintext": data},
        "Decrypt": {"CiphertextBlob": b64encode(sealed["CiphertextBlob"]).decode()},
        "GenerateDataKey": {"KeyId": server.key, "KeySpec": "AES_256"},
    }


def signed(server: Server, operation: str, members: dict[str, str]) -> bytes:
    """The bytes of one request, good for five minutes."""
    body = json.dumps(members)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
    request = AWSRequest("POST", server.url + "/", headers=headers, data=body)
    SigV4Auth(server.credentials, "kms", REGION).add_auth(request)
    host = server.url.partition("//")[2]
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(["POST / HTTP/1.1", f"Host: {host}", *lines, f"Content-Length: {len(body)}", "", body]).encode()


def rate(server: Server, text: bytes, connections: int, seconds: int) -> Rate:
    """Send one request again and again."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "request").write_bytes(text)
        (Path(folder) / "wrk.lua").write_text(SCRIPT)
        before = _ticks(server.pids)
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", f"{folder}/wrk.lua", server.url]
        env = os.environ | {"KMS_BENCH_REQUEST": f"{folder}/request"}
        run = subprocess.run(argv, stdout=subprocess.PIPE, env=env, text=True, check=False)
        taken = (_ticks(server.pids) - before) / TICKS
    if run.returncode or "Non-2xx" in run.stdout:
        sys.exit(f"an answer was an error: {run.stdout}")
    words = run.stdout.split()
    count = int(words[words.index("requests") - 1])
    return Rate(
        float(words[words.index("Requests/sec:") + 1]), count / taken, _milliseconds(words[words.index("99%") + 1])
    )


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    sys.exit(f"wrk said {text}")


def _median(rates: list[Rate]) -> Rate:
    return Rate(*(statistics.median(column) for column in zip(*rates, strict=True)))


def cold(argv: list[str], url: str | None) -> float:
    """Seconds from the start of a server to its first answer."""
    start = time.perf_counter()
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        if url is None:
            url = (server.stdout.readline() if server.stdout else "").split()[1]
        host, _, port = url.rstrip("/").rpartition("//")[2].partition(":")
        while True:
            connection = HTTPConnection(host, int(port), timeout=5)
            try:
                connection.request("POST", "/", b"{}")
                connection.getresponse()
                break
            except OSError:
                time.sleep(0.002)
            finally:
                connection.close()
        return time.perf_counter() - start
    finally:
        server.terminate()
        server.wait()


def _second_worker(serve: Callable[[str], AbstractContextManager[Server]], connections: int, seconds: int) -> float:
    """How many times the rate of one worker two have."""
    found: dict[str, list[Rate]] = {"1": [], "2": []}
    for _ in range(ROUNDS):
        for number, rates in found.items():
            with serve(number) as server:
                text = signed(server, "Encrypt", {"KeyId": server.key, "Plaintext": b64encode(bytes(1024)).decode()})
                rates.append(rate(server, text, connections, seconds))
    return _median(found["2"]).wall / _median(found["1"]).wall


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    for program in ("wrk", str(BIN / "moto_server")):
        if shutil.which(program) is None:
            print(f"# {program} is not installed: nothing is measured")
            return
    machine(Path.cwd())
    print(f"# load {os.getloadavg()[0]:.1f}; {ROUNDS} rounds of {seconds} s")
    with moto() as peer, kms() as one:
        for operation in ("Encrypt", "Decrypt", "GenerateDataKey"):
            for connections in (1, 16):
                found: dict[str, list[Rate]] = {"moto": [], "kms": []}
                for _ in range(ROUNDS):
                    for name, server in (("moto", peer), ("kms", one)):
                        text = signed(server, operation, requests(server)[operation])
                        found[name].append(rate(server, text, connections, seconds))
                theirs, ours = _median(found["moto"]), _median(found["kms"])
                what = f"kms / moto, {operation}, {connections} connection{'s' * (connections > 1)}"
                target = 15.0 if connections > 1 else None
                print(f"# {what}: {ours.wall:.0f} a second, {ours.core:.0f} a core-second, p99 {ours.p99:.1f} ms")
                report(f"{what}: by the clock", ours.wall / theirs.wall, target=target, least=True)
                report(f"{what}: by seconds of a core", ours.core / theirs.core, target=None, least=True)
                report(f"{what}: 99 % within, in ms", ours.p99, target=20.0 if connections > 1 else None)
    for connections, target in ((16, 1.6), (128, None)):
        more = _second_worker(lambda number: kms("--workers", number), connections, seconds)
        report(f"two workers / one, {connections} connections", more, target=target, least=True)
        report(f"the same of a bare server, {connections} connections", _second_worker(bare, connections, seconds))
    with kms():
        ours_cold, theirs_cold = [], []
        for number in range(ROUNDS):
            ours_cold.append(cold([str(BIN / "kms"), "serve", "--port", "0"], None))
            port = 5990 - number
            theirs_cold.append(cold([str(BIN / "moto_server"), "-p", str(port)], f"http://127.0.0.1:{port}/"))
    report(
        "cold start to the first answer, kms / moto",
        statistics.median(ours_cold) / statistics.median(theirs_cold),
        target=1.0,
    )


if __name__ == "__main__":
    main()
