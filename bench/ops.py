"""What an operation costs: beside the bare cryptographic call, and in a large vault beside a small one.

Everything in one process, so that the start of Python, the same for all, does not hide a difference. Targets: a
blob of 1 KiB is sealed at no less than 0.4x the rate of the bare call; no operation adds more than 60 us to its bare
call, audit apart (the absolute figure is the target's own; the machine is in the first line); the first page of
100,000 keys takes at most 2x the list of 100, create-key among 100,000 keys at most 2x that in an empty vault.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import _vaults
from _measure import interleaved, machine, report
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from kmscli.service import crypto
from kmscli.service.context import Call, Context
from kmscli.service.dispatch import perform

KEYS = 100_000
ROUNDS = 41
BURSTS, BURST = 61, 20
LEAST_RATE = 0.4
MOST_OVERHEAD = 60e-6


class Case(NamedTuple):
    """An operation and the bare call at its heart."""

    name: str
    operation: str
    members: dict[str, object]
    bare: Callable[[], object]


def created(context: Context, spec: str, usage: str) -> str:
    """The id of a new key."""
    answer = perform(context, "CreateKey", {"KeySpec": spec, "KeyUsage": usage})
    return str(answer.key_metadata.key_id)  # type: ignore[attr-defined]


def cases(context: Context) -> list[Case]:
    """The operations that are measured, each with 1 KiB of data."""
    data, secret, label = os.urandom(1024), os.urandom(32), b"kms/v1/bench"

    def seal(plaintext: bytes = data) -> bytes:
        encryptor = Cobblestone256Encryptor(secret, label)
        return encryptor.update(plaintext) + encryptor.finalize()

    def unseal() -> bytes:
        decryptor = Cobblestone256Decryptor(secret, label)
        return decryptor.update(sealed) + decryptor.finalize()

    def mac() -> bytes:
        hmac = HMAC(secret, SHA256())
        hmac.update(data)
        return hmac.finalize()

    sealed = seal()
    symmetric = created(context, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    blob = perform(context, "Encrypt", {"KeyId": symmetric, "Plaintext": data}).ciphertext_blob  # type: ignore[attr-defined]
    p256, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    rsa2048 = rsa.generate_private_key(65537, 2048)
    pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
    signs = (
        ("Sign, P-256", "ECC_NIST_P256", "ECDSA_SHA_256", lambda: p256.sign(data, ec.ECDSA(SHA256()))),
        ("Sign, Ed25519", "ECC_NIST_EDWARDS25519", "ED25519_SHA_512", lambda: edwards.sign(data)),
        ("Sign, RSA-2048", "RSA_2048", "RSASSA_PSS_SHA_256", lambda: rsa2048.sign(data, pss, SHA256())),
    )
    hmac = created(context, "HMAC_256", "GENERATE_VERIFY_MAC")
    return [
        Case("Encrypt", "Encrypt", {"KeyId": symmetric, "Plaintext": data}, seal),
        Case("Decrypt", "Decrypt", {"CiphertextBlob": blob}, unseal),
        Case(
            "GenerateDataKey",
            "GenerateDataKey",
            {"KeyId": symmetric, "KeySpec": "AES_256"},
            lambda: seal(os.urandom(32)),
        ),
        *(
            Case(
                name,
                "Sign",
                {"KeyId": created(context, spec, "SIGN_VERIFY"), "Message": data, "SigningAlgorithm": algorithm},
                bare,
            )
            for name, spec, algorithm, bare in signs
        ),
        Case("GenerateMac", "GenerateMac", {"KeyId": hmac, "Message": data, "MacAlgorithm": "HMAC_SHA_256"}, mac),
    ]


def bursts(act: Callable[[], object]) -> Callable[[], None]:
    """The act, many times in a row: one alone is too short to be timed."""

    def burst() -> None:
        for _ in range(BURST):
            act()

    return burst


def measure_uses(folder: Path) -> None:
    """Operations beside their bare calls, without and with the audit log."""
    _vaults.make(folder / "uses", 0)
    with _vaults.opened(folder / "uses") as audited, _vaults.opened(folder / "uses", audited=False) as silent:
        found = cases(audited)
        measure_envelope(silent, found[0])
        for case in found:
            run = bursts(partial(perform, silent, case.operation, case.members))
            taken, bare = (seconds / BURST for seconds in interleaved(BURSTS, run, bursts(case.bare)))
            verdict = "met" if taken - bare <= MOST_OVERHEAD else "MISSED"
            rates = f"{1 / taken:,.0f} a second, {bare / taken:.2f}x bare"
            over = f"{(taken - bare) * 1e6:.0f} us over it (target: at most {MOST_OVERHEAD * 1e6:.0f}, {verdict})"
            print(f"{case.name:<18} {rates:<34} {over}")
            logged, bare = interleaved(ROUNDS, partial(perform, audited, case.operation, case.members), case.bare)
            print(f"{'':<18} with its audit line {1 / logged:,.0f} a second, {bare / logged:.4f}x bare")


def measure_envelope(context: Context, case: Case) -> None:
    """The sealing of a blob, header and context included, beside the bare call."""
    with context.session.read() as snapshot:
        call = Call(context, "Encrypt", snapshot, _vaults.now())
        key = call.find(str(case.members["KeyId"]))
        data = case.members["Plaintext"]
        seal = bursts(lambda: crypto.seal_under(call, key, data, None))  # type: ignore[arg-type]
        taken, bare = interleaved(BURSTS, seal, bursts(case.bare))
    report("bare call / sealing a blob of 1 KiB", bare / taken, target=LEAST_RATE, least=True)


def measure_sizes(folder: Path, keys: int) -> None:
    """The same operations in a large vault and in a small one."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", type=int, nargs="?", default=KEYS, help="keys of the large vault; 0 leaves it out")
    keys = parser.parse_args().keys
    with _vaults.workplace() as folder:
        machine(folder)
        measure_uses(folder)
        if keys:
            measure_sizes(folder, keys)


if __name__ == "__main__":
    main()
