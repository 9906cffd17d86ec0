"""Readers of the published test vectors that the package cryptography_vectors carries: NIST CAVP, RFCs, PKCS #1."""

from collections.abc import Iterator
from itertools import islice

from cryptography_vectors import open_vector_file

_OF_A_CASE = {"Msg", "Result", "K", "Z"}


def lines(path: str) -> Iterator[str]:
    """The lines of a file, without those that are comments."""
    with open_vector_file(path, "r") as file:
        yield from (line.strip() for line in file if not line.startswith("#"))


def cases(path: str) -> Iterator[dict[str, str]]:
    """Each case of a NIST file: a block of `name = value` lines, with its [section] under "".

    What stands in a block of its own before (a modulus, say) holds for all cases after it.
    """
    section, shared, block = "", {}, {}
    for line in [*lines(path), ""]:
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            name, _, value = line.partition("=")
            block[name.strip()] = value.strip()
        elif block.keys() & _OF_A_CASE:
            yield {"": section, **shared, **block}
            block = {}
        else:
            shared, block = {**shared, **block}, {}


def kats(path: str, count: int) -> list[dict[str, str]]:
    """The first cases of a known-answer file of a lattice scheme, where each begins with `count = `."""

    def each() -> Iterator[dict[str, str]]:
        block: dict[str, str] = {}
        for line in lines(path):
            name, _, value = line.partition("=")
            if name.strip() == "count" and block:
                yield block
                block = {}
            block[name.strip()] = value.strip()

    return list(islice(each(), count))


def oaep(path: str) -> Iterator[dict[str, int | bytes]]:
    """Each case of a file in the layout of PKCS #1's OAEP vectors, the numbers of its key included."""
    key: dict[str, int | bytes] = {}
    name = ""
    parts: dict[str, str] = {}

    def close() -> Iterator[dict[str, int | bytes]]:
        if parts.get("Encryption"):
            encryption = bytes.fromhex(parts.pop("Encryption"))
            yield {**key, "message": bytes.fromhex(parts.pop("Message")), "encryption": encryption}
        for short, long in (("n", "Modulus"), ("e", "Public exponent"), ("p", "Prime 1"), ("q", "Prime 2")):
            if long in parts:
                key[short] = int(parts[long], 16)

    with open_vector_file(path, "r") as file:
        for line in (line.strip() for line in file):
            if line.startswith("#"):
                if line.startswith(("# OAEP", "# Example", "# ====")):
                    yield from close()
                name = line.strip("# :")
                parts[name] = ""
            elif name:
                parts[name] += line.replace(" ", "")
    yield from close()
