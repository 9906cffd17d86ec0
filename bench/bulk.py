"""Files of any size: the streaming engine against age, gpg, openssl and a plain copy, in turn, as whole programs.

Each row is a ratio of medians, by the clock or by the seconds of a core; for the peers it is peer / kms, so more is
better. The engine runs as a program of its own (`_engine.py`); rows of the command are of `kms` as it is typed, with
start, keyfile, vault and audit line. The files, the vault too, lie in memory, so that no disk is measured.

The first rows are engine / bare loop: the same program that does nothing but read, AES-GCM and write. They show how
much of a figure is ours to change; what a peer's row misses beyond them, the processor, memory and Python's start hold.
Usage: `bulk.py [MIB [ROUNDS]]`.
"""

import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import _vaults
from _measure import machine, report

MEMORY = Path("/dev/shm")  # noqa: S108 - a place in memory, and a folder of our own in it
ENGINE = [sys.executable, str(Path(__file__).with_name("_engine.py"))]
EXTRA_MIB = 40
NULL = os.devnull

Act = tuple[Sequence[str], str | None]
"""A command, and what is piped through `cat` into it; its standard output goes nowhere."""


def run(act: Act) -> tuple[float, float]:
    """Seconds by the clock, and seconds of cores of the command alone."""
    argv, piped = act
    start = time.perf_counter()
    feeder = subprocess.Popen(["cat", piped], stdout=subprocess.PIPE) if piped else None
    command = subprocess.Popen(
        argv, stdin=feeder.stdout if feeder else None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(command.pid, 0)
    command.returncode = os.waitstatus_to_exitcode(status)
    taken = time.perf_counter() - start
    if feeder and feeder.stdout:
        feeder.stdout.close()
        feeder.wait()
    if command.returncode:
        sys.exit(f"{' '.join(argv)} failed")
    return taken, usage.ru_utime + usage.ru_stime


def most_memory(act: Act) -> int:
    """The most memory of a run of the engine, in KiB, as it says itself: rusage begins with that of this program."""
    argv, piped = act
    environ = {**os.environ, "ENGINE_TELLS_MEMORY": "1"}
    with Path(piped or NULL).open("rb") as given:
        feeder = subprocess.Popen(["cat"], stdin=given, stdout=subprocess.PIPE)
        told = subprocess.run(
            argv, stdin=feeder.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ, check=True
        )
        feeder.communicate()
    return int(told.stderr)


Pick = Callable[[Iterable[float]], float]


def measured(rounds: int, acts: dict[str, Act], pick: Pick = statistics.median) -> dict[str, tuple[float, float]]:
    """What is picked of the runs of each act, all of them in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in acts}
    for act in acts.values():
        run(act)
    for _ in range(rounds):
        for name, act in acts.items():
            found[name].append(run(act))
    return {name: (pick(r[0] for r in runs), pick(r[1] for r in runs)) for name, runs in found.items()}


def compare(
    what: str,
    rounds: int,
    peer: Act,
    ours: Act,
    *,
    wall: float | None,
    cores: float | None = None,
    pick: Pick = statistics.median,
) -> None:
    found = measured(rounds, {"peer": peer, "ours": ours}, pick)
    report(f"{what}: by the clock", found["peer"][0] / found["ours"][0], target=wall, least=True)
    report(f"{what}: by seconds of cores", found["peer"][1] / found["ours"][1], target=cores, least=True)


def fill(path: Path, mib: int) -> Path:
    with path.open("wb") as out:
        for _ in range(mib):
            out.write(os.urandom(1 << 20))
    return path


def engine(act: str, given: Path | str, made: Path | str, *rest: int) -> list[str]:
    return [*ENGINE, act, str(given), str(made), *map(str, rest)]


def command(act: str, given: Path | str, made: Path | str) -> list[str]:
    """The same by the command; `vault` says with which vault."""
    key = ["-k", "alias/bench-0"] if act == "encrypt" else []
    return ["kms", act, *key, str(given), "-o", str(made)]


def vault(folder: Path) -> None:
    """Make a vault for the command, and have it used."""
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    _vaults.make(folder / "vault", 1)
    os.environ["KMS_VAULT"], os.environ["KMS_KEYFILE"] = str(folder / "vault"), str(folder / "vault.key")
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def against_bare_loop(folder: Path, plain: Path, sealed: Path, rounds: int) -> None:
    pieces = folder / "pieces"
    run((engine("bare-encrypt", plain, pieces), None))
    for act, bare_given, given in (("encrypt", plain, plain), ("decrypt", pieces, sealed)):
        for kind, piped in (("a file to nowhere", False), ("a pipe", True)):
            acts: dict[str, Act] = {
                name: (engine(verb, "-", "-"), str(path)) if piped else (engine(verb, path, NULL), None)
                for name, verb, path in (("bare", f"bare-{act}", bare_given), ("ours", act, given))
            }
            found = measured(rounds, acts)
            what = f"{act}, {kind} / a bare loop"
            report(f"{what}: by the clock", found["ours"][0] / found["bare"][0])
            report(f"{what}: by seconds of cores", found["ours"][1] / found["bare"][1])
    pieces.unlink()


def against_age(folder: Path, plain: Path, sealed: Path, rounds: int) -> None:
    key = folder / "age.key"
    subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
    recipient = key.read_text().split("public key: ")[1].split()[0]
    aged = folder / "plain.age"
    subprocess.run(["age", "-r", recipient, "-o", aged, plain], check=True)
    encrypts = ["age", "-r", recipient, "-o", NULL]
    decrypts = ["age", "-d", "-i", str(key), "-o", NULL]
    by_command = folder / "plain.by-command"
    run((command("encrypt", plain, by_command), None))
    for who, ours, made in (("", engine, sealed), ("the command, ", command, by_command)):
        act: Act = ours("encrypt", plain, NULL), None
        compare(
            f"age / {who}encrypt, a file to nowhere", rounds, ([*encrypts, str(plain)], None), act, wall=2.5, cores=1.6
        )
        act = ours("decrypt", made, NULL), None
        compare(f"age / {who}decrypt, a file to nowhere", rounds, ([*decrypts, str(aged)], None), act, wall=3.0)
        act = ours("encrypt", "-", "-"), str(plain)
        compare(f"age / {who}encrypt, a pipe", rounds, (encrypts, str(plain)), act, wall=1.5)
        act = ours("decrypt", "-", "-"), str(made)
        compare(f"age / {who}decrypt, a pipe", rounds, (decrypts, str(aged)), act, wall=1.5)
    by_command.unlink()


def against_gpg(folder: Path, plain: Path, _sealed: Path, rounds: int) -> None:
    options = ["--homedir", str(folder), "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "x"]
    argv = ["gpg", *options, "--compress-algo", "none", "-o", NULL, "--symmetric", str(plain)]
    compare(
        "gpg --symmetric / encrypt", min(rounds, 3), (argv, None), (engine("encrypt", plain, NULL), None), wall=None
    )


def against_openssl(_folder: Path, plain: Path, _sealed: Path, rounds: int) -> None:
    argv = ["openssl", "enc", "-aes-256-ctr", "-pbkdf2", "-k", "x", "-in", str(plain), "-out", NULL]
    ours = engine("encrypt", plain, NULL), None
    compare("openssl enc, not authenticated / encrypt", rounds, (argv, None), ours, wall=None)


def against_copy(folder: Path, plain: Path, sealed: Path, rounds: int) -> None:
    # The best of the rounds: a virtual machine gives memory that was freed back to its host, and then the same copy
    # takes three times as long, by chance for the one or for the other.
    out = folder / "out"
    copy = ["cp", str(plain), str(out)], None
    for act, given, target in (("encrypt", plain, 0.8), ("decrypt", sealed, None)):
        ours = engine(act, given, out), None
        compare(f"cp / {act} to a file in memory, best of each", rounds, copy, ours, wall=target, pick=min)


def against_two_commands(folder: Path, _plain: Path, sealed: Path, rounds: int) -> None:
    out, between = folder / "out", folder / "between"
    both = " && ".join(
        shlex.join(argv) for argv in (engine("decrypt", sealed, between), engine("encrypt", between, out))
    )
    found = measured(rounds, {"two": (["sh", "-c", both], None), "one": (engine("rewrap", sealed, out), None)})
    report("rewrap / decrypt, then encrypt, in memory: by the clock", found["one"][0] / found["two"][0], target=0.7)
    report("rewrap / decrypt, then encrypt: by seconds of cores", found["one"][1] / found["two"][1], target=None)
    out.unlink()
    between.unlink()


def memory(folder: Path, rounds: int, *sizes: int) -> None:
    """The memory of a run above that of one that does nothing, in MiB; a row a size."""
    empty = folder / "empty"
    empty.touch()
    base = min(most_memory((engine("encrypt", empty, NULL), None)) for _ in range(max(3, rounds)))
    for kib in sizes:
        plain, sealed = folder / "sized", folder / "sized.kms"
        with plain.open("wb") as out:
            out.truncate(kib << 10)
        run((engine("encrypt", plain, sealed), None))
        acts: dict[str, Act] = {
            "encrypt a file": (engine("encrypt", plain, NULL), None),
            "encrypt a pipe": (engine("encrypt", "-", "-"), str(plain)),
            "decrypt a file": (engine("decrypt", sealed, NULL), None),
            "decrypt a pipe": (engine("decrypt", "-", "-"), str(sealed)),
            "rewrap a file": (engine("rewrap", sealed, NULL), None),
        }
        sealed_size = sealed.stat().st_size
        for name, act in acts.items():
            extra = max(0, most_memory(act) - base) / 1024
            verdict = "met" if extra <= EXTRA_MIB else "MISSED"
            print(
                f"{name} of {sealed_size:>11} bytes: {extra:6.1f} MiB above start-up  (at most {EXTRA_MIB}, {verdict})"
            )
        plain.unlink()
        sealed.unlink()


PEERS: dict[str, Callable[[Path, Path, Path, int], None]] = {
    "age": against_age,
    "gpg": against_gpg,
    "openssl": against_openssl,
    "cp": against_copy,
    "sh": against_two_commands,
}


def main() -> None:
    mib, rounds = [*map(int, sys.argv[1:]), *(1024, 9)[len(sys.argv) - 1 :]]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="kms-bench-", dir=MEMORY) as name:
        folder = Path(name)
        machine(folder)
        print(f"# {mib} MiB, medians of {rounds} rounds, load {os.getloadavg()[0]:.1f}")
        plain, sealed = fill(folder / "plain", mib), folder / "plain.kms"
        vault(folder)
        run((engine("encrypt", plain, sealed), None))
        against_bare_loop(folder, plain, sealed, rounds)
        for peer, measure in PEERS.items():
            if shutil.which(peer):
                measure(folder, plain, sealed, rounds)
            else:
                print(f"# {peer} is not installed")
        plain.unlink()
        sealed.unlink()
        memory(folder, rounds, 1, 1 << 10, 64 << 10, 4 << 20)


if __name__ == "__main__":
    main()
