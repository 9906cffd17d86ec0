"""THE table of key specs: everything the program knows about a kind of key, as data.

A further spec of a known family is one row here and its vectors. Nothing elsewhere compares a spec's name.
Source: AWS KMS API reference, CreateKey (KeySpec, KeyUsage) and Encrypt (EncryptionAlgorithm).
"""

from typing import NamedTuple


class KeySpec(NamedTuple):
    """One kind of key.

    Attributes:
        material_bytes: Length of freshly generated material, in bytes.
        usages: KeyUsage values that CreateKey accepts; the first is the default.
        encryption_algorithms: What Encrypt and Decrypt accept; the first is the default.
        rotates: Whether material can be rotated with the key id kept.
    """

    material_bytes: int
    usages: tuple[str, ...]
    encryption_algorithms: tuple[str, ...]
    rotates: bool


KEY_SPECS: dict[str, KeySpec] = {
    "SYMMETRIC_DEFAULT": KeySpec(32, ("ENCRYPT_DECRYPT",), ("SYMMETRIC_DEFAULT",), rotates=True),
}

DATA_KEY_BYTES: dict[str, int] = {"AES_256": 32, "AES_128": 16}
"""KeySpec of GenerateDataKey -> length in bytes, in the order in which AWS lists them."""
