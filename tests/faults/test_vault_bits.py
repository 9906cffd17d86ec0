"""Bits of vault.db flipped, the file cut short or replaced: refused by name, or without any effect on an answer.

A short run flips every bit of the database's header and a seeded choice of the others. The long run flips, in a tiny
vault, every bit of every byte that is not zero and one bit of every other byte, and one bit of every byte in use of the
larger vault.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults import pages, samples
from tests.faults.samples import DAMAGED, Sample

Bit = tuple[int, int]
CHUNKS = 16


def flipped(whole: bytes, bit: Bit) -> bytes:
    offset, number = bit
    return whole[:offset] + bytes([whole[offset] ^ 1 << number]) + whole[offset + 1 :]


def write(folder: Path, content: bytes) -> None:
    """Put a database in place, and nothing that SQLite left beside another one."""
    for left in folder.glob("vault.db-*"):
        left.unlink()
    (folder / "vault.db").write_bytes(content)


def allowed(bit: Bit) -> set[str]:
    return DAMAGED | {"UnsupportedFormat"} if bit[0] in pages.FORMAT_NUMBER else DAMAGED


def wrong_answers(vault: Sample, folder: Path, bits: Iterable[Bit]) -> Iterator[str]:
    whole = (vault.folder / "vault.db").read_bytes()
    for bit in bits:
        write(folder, flipped(whole, bit))
        for wrong in samples.violations(vault, samples.quick_answers(vault, folder), allowed(bit)):
            yield f"bit {bit[1]} of byte {bit[0]}: {wrong}"


def every_bit(offsets: Iterable[int]) -> list[Bit]:
    return [(offset, number) for offset in offsets for number in range(8)]


def dense_bits(vault: Sample) -> list[Bit]:
    """Each bit of each byte that holds something; of those that are zero, which are alike, one bit of each."""
    whole = (vault.folder / "vault.db").read_bytes()
    written = [offset for offset, value in enumerate(whole) if value or offset < pages.HEADER_BYTES]
    return every_bit(written) + [(offset, offset % 8) for offset, value in enumerate(whole) if not value]


def some_bits(vault: Sample, count: int, seed: int) -> list[Bit]:
    random = Random(seed)
    offsets = list(pages.used((vault.folder / "vault.db").read_bytes()))
    return [(random.choice(offsets), random.randrange(8)) for _ in range(count)]


def test_the_damaged_vaults_differ_from_one_that_answers_everything_rightly(sample: Sample, copy: Path) -> None:
    assert [] == samples.violations(sample, samples.quick_answers(sample, copy), set())
    assert [] == samples.violations(sample, samples.answers(sample, copy), set())


def test_a_flipped_bit_of_the_database_header_is_refused_or_changes_no_answer(sample: Sample, copy: Path) -> None:
    assert [] == list(wrong_answers(sample, copy, every_bit(range(pages.HEADER_BYTES))))


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_refused_or_changes_no_answer(sample: Sample, copy: Path, seed: int) -> None:
    assert [] == list(wrong_answers(sample, copy, some_bits(sample, 400, seed)))


@pytest.mark.parametrize("seed", range(4, 6))
def test_unlocking_using_and_changing_a_vault_with_a_flipped_bit_gives_right_answers_or_is_refused(
    sample: Sample, copy: Path, seed: int
) -> None:
    whole = (copy / "vault.db").read_bytes()
    log = copy / "audit" / "00000001.jsonl"
    lines = log.read_bytes()
    pin = next((copy.parent / "state" / "kms").iterdir())
    seen = pin.read_bytes()
    for bit in some_bits(sample, 120, seed):
        write(copy, flipped(whole, bit))
        found = samples.answers(sample, copy)
        changed = samples.change_and_ask_again(sample, copy)
        assert [] == samples.violations(sample, found, allowed(bit)), bit
        assert [] == samples.violations(sample, changed, allowed(bit)), bit
        log.write_bytes(lines)
        pin.write_bytes(seen)


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_bit_of_a_tiny_vault_flipped_is_refused_or_changes_no_answer(
    tiny: Sample, workplace: Path, chunk: int
) -> None:
    folder = samples.copied(tiny, workplace)
    assert [] == list(wrong_answers(tiny, folder, dense_bits(tiny)[chunk::CHUNKS]))


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_byte_of_a_vault_with_a_flipped_bit_is_refused_or_changes_no_answer(
    sample: Sample, copy: Path, chunk: int
) -> None:
    random = Random(chunk)
    offsets = list(pages.used((copy / "vault.db").read_bytes()))[chunk::CHUNKS]
    assert [] == list(wrong_answers(sample, copy, [(offset, random.randrange(8)) for offset in offsets]))


def test_a_database_cut_short_is_refused_or_answers_rightly(sample: Sample, copy: Path) -> None:
    whole = (copy / "vault.db").read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    lengths = {*range(120), *range(size - 1, len(whole), size), *range(size, len(whole), size)}
    for length in sorted(lengths | {*range(0, len(whole), 4099)}):
        write(copy, whole[:length])
        found = samples.quick_answers(sample, copy)
        assert [] == samples.violations(sample, found, DAMAGED | {"UnsupportedFormat"}), length
        lacks_pages = length <= len(whole) - size
        assert samples.is_refusal(found["keys"], DAMAGED | {"UnsupportedFormat"}) or not lacks_pages, length


def test_bytes_after_the_end_of_the_database_change_no_answer(sample: Sample, copy: Path) -> None:
    whole = (copy / "vault.db").read_bytes()
    for extra in (b"\0", b"x" * 5000, whole):
        write(copy, whole + extra)
        assert [] == samples.violations(sample, samples.quick_answers(sample, copy)), len(extra)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"no database\n", b"SQLite format 3\0", bytes(100_000), b"SQLite format 3\0" + bytes(8176)]
)
def test_what_is_no_database_is_refused(sample: Sample, copy: Path, content: bytes) -> None:
    write(copy, content)
    found = samples.quick_answers(sample, copy)
    assert {True} == {samples.is_refusal(value, {"VaultTampered", "UnsupportedFormat"}) for value in found.values()}
