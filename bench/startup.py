"""How long whole commands take, as ratios to `python -c pass` measured in the same run.

Targets: a verb with a keyfile, its audit line included, at most 10x; help at most 7x; TAB at most 8x.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import _vaults
from _measure import command, interleaved, machine, report

ROUNDS = 31


def main() -> None:
    kms = shutil.which("kms", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") or sys.exit("no kms on PATH")
    with _vaults.workplace() as folder:
        machine(folder)
        imports_re = "import re" in Path(kms).read_text()
        print("# the console script", "imports re, 1.5x by itself (pip before 26)" if imports_re else "is lean")
        _vaults.make(folder / "vault", 3)
        environ = {
            **os.environ,
            "KMS_VAULT": str(folder / "vault"),
            "KMS_KEYFILE": str(folder / "vault.key"),
        }
        secret = folder / "secret"
        secret.write_bytes(b"correct horse")
        completing = {**environ, "_KMS_COMPLETE": "complete_bash", "COMP_WORDS": "kms enc", "COMP_CWORD": "1"}
        rows = (
            ("help", command([kms, "--help"], environ), 7.0),
            ("help of one verb", command([kms, "encrypt", "--help"], environ), 7.0),
            ("TAB", command([kms], completing), 8.0),
            ("version", command([kms, "version"], environ), None),
            ("status", command([kms, "status"], environ), None),
            ("encrypt a file, keyfile, audit line", _encrypt(kms, secret, environ), 10.0),
            ("describe-key, keyfile, audit line", _describe(kms, environ), 10.0),
            ("create-key, keyfile, audit line", command([kms, "create-key"], environ), 10.0),
        )
        floor = command([sys.executable, "-c", "pass"])
        for what, act, target in rows:
            base, taken = interleaved(ROUNDS, floor, act)
            report(f"{what} / python -c pass", taken / base, target=target)


def _encrypt(kms: str, secret: Path, environ: dict[str, str]) -> Callable[[], object]:
    return command([kms, "encrypt", "-k", "alias/bench-1", str(secret), "-o", f"{secret}.kms"], environ)


def _describe(kms: str, environ: dict[str, str]) -> Callable[[], object]:
    return command([kms, "describe-key", "--key-id", "alias/bench-1"], environ)


if __name__ == "__main__":
    main()
