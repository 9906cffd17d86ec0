"""What it costs to encrypt many small files in one run.

Subject: `kms encrypt --recursive` over 10,000 files of 1 KiB, with a keyfile and an audit line for each. Peer: making
as many copies in Python, each on the disk before the next is begun. Target: at least 2,000 files a second (the figure
is the target's own; the machine is in the first line).
"""

import os
import shutil
import sys
import time
from pathlib import Path

import _vaults
from _measure import command, machine, report

FILES, SIZE = 10_000, 1024
LEAST = 2000


def copy_durably(source: Path, target: Path) -> None:
    """Each file by itself, as a loop over `cp` and `sync` would."""
    target.mkdir()
    for path in source.iterdir():
        fd = os.open(target / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, path.read_bytes())
        os.fsync(fd)
        os.close(fd)


def seconds(act: object, *words: object) -> float:
    start = time.perf_counter()
    act(*words)  # type: ignore[operator]
    return time.perf_counter() - start


def main() -> None:
    kms = shutil.which("kms", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or sys.exit("no kms on PATH")
    with _vaults.workplace() as folder:
        machine(folder)
        _vaults.make(folder / "vault", 1)
        environ = {**os.environ, "KMS_VAULT": str(folder / "vault"), "KMS_KEYFILE": str(folder / "vault.key")}
        plain = folder / "plain"
        plain.mkdir()
        for number in range(FILES):
            (plain / f"{number:05d}").write_bytes(os.urandom(SIZE))
        encrypt = command([kms, "encrypt", "-k", "alias/bench-0", "--recursive", str(plain)], environ)
        base = seconds(copy_durably, plain, folder / "copies")
        taken = seconds(encrypt)
        report(f"copies, each synced / encrypting {FILES} files of 1 KiB", base / taken)
        rate = FILES / taken
        verdict = "met" if rate >= LEAST else "MISSED"
        print(f"{rate:,.0f} files a second (target: at least {LEAST:,}, {verdict})")


if __name__ == "__main__":
    main()
