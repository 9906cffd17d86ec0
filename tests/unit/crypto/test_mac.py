"""HMAC of messages: a MAC holds whole and for its message, material and hash only."""

import pytest

from kmscli import errors
from kmscli.crypto import mac
from kmscli.model.specs import MAC_HASHES

MATERIAL = bytes(range(32))
MAC = mac.generate(MATERIAL, b"message", "sha256")


@pytest.mark.parametrize("hash_name", MAC_HASHES.values())
def test_a_mac_holds_and_is_as_long_as_its_hash(hash_name: str) -> None:
    made = mac.generate(MATERIAL, b"message", hash_name)
    mac.verify(MATERIAL, b"message", made, hash_name)
    assert int(hash_name.removeprefix("sha")) // 8 == len(made)


@pytest.mark.parametrize("place", range(32))
def test_a_changed_bit_is_refused(place: int) -> None:
    changed = bytearray(MAC)
    changed[place] ^= 0x80
    with pytest.raises(errors.InvalidMacError):
        mac.verify(MATERIAL, b"message", bytes(changed), "sha256")


@pytest.mark.parametrize("wrong", [b"", MAC[:1], MAC[:16], MAC[:31], MAC + b"\0"])
def test_a_mac_of_another_length_is_refused(wrong: bytes) -> None:
    with pytest.raises(errors.InvalidMacError):
        mac.verify(MATERIAL, b"message", wrong, "sha256")


def test_a_mac_holds_for_its_message_material_and_hash_only() -> None:
    for material, message, hash_name in (
        (MATERIAL, b"Message", "sha256"),
        (MATERIAL[::-1], b"message", "sha256"),
        (MATERIAL, b"message", "sha512"),
    ):
        with pytest.raises(errors.InvalidMacError):
            mac.verify(material, message, MAC, hash_name)
