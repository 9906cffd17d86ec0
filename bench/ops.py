"""What an operation costs in a large vault, as ratios to a small one measured in the same run.

Targets: the first page of 100,000 keys at most 2x the list of 100; create-key among 100,000 keys at most 2x that in an
empty vault. In one process, so that the start of Python, the same for both, does not hide a difference.
"""

import sys

import _vaults
from _measure import interleaved, machine, report

from kmscli.service.dispatch import perform

KEYS = 100_000
ROUNDS = 41


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else KEYS
    with _vaults.workplace() as folder:
        machine(folder)
        for name, size in (("large", keys), ("hundred", 100), ("empty", 0)):
            _vaults.make(folder / name, size)
        with (
            _vaults.opened(folder / "large") as large,
            _vaults.opened(folder / "hundred") as hundred,
            _vaults.opened(folder / "empty") as empty,
        ):
            page = {"Limit": 100}
            taken, base = interleaved(
                ROUNDS, lambda: perform(large, "ListKeys", page), lambda: perform(hundred, "ListKeys", page)
            )
            report(f"list-keys, first page of {keys} / list of 100", taken / base, target=2)
            taken, base = interleaved(
                ROUNDS, lambda: perform(large, "CreateKey", {}), lambda: perform(empty, "CreateKey", {})
            )
            report(f"create-key among {keys} / in an empty vault", taken / base, target=2)
            secret = {"KeyId": "alias/bench-1", "Plaintext": b"correct horse"}
            taken, base = interleaved(
                ROUNDS, lambda: perform(large, "Encrypt", secret), lambda: perform(hundred, "Encrypt", secret)
            )
            report(f"encrypt among {keys} / among 100", taken / base)


if __name__ == "__main__":
    main()
