"""What all families share: nothing secret is shown or pickled, and hostile bytes end in an error of ours."""

import copy
import pickle
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kmscli import errors
from kmscli.crypto import keypair, registry
from kmscli.crypto.keypair import Pair
from kmscli.model.specs import KEY_SPECS

SPECS = [
    spec for spec, row in KEY_SPECS.items() if row.family not in {"mac", "seal"} and row.parameter not in {3072, 4096}
]


@pytest.fixture(scope="module")
def pairs() -> dict[str, Pair]:
    return {spec: registry.generate(spec) for spec in SPECS}


def refused(spec: str, der: bytes) -> bool:
    """Whether it is refused as imported material; any other exception fails the test."""
    try:
        registry.read_private(spec, der)
    except errors.IncorrectKeyMaterialError:
        return True
    return False


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_of_a_private_key_is_shown(spec: str, pairs: dict[str, Pair]) -> None:
    pair = pairs[spec]
    shown = repr(pair) + str(pair) + repr(registry.private_key(spec, pair.private))
    assert not any(text in shown for text in (repr(pair.private)[2:20], pair.private.hex()[:20], "object at"))


@pytest.mark.parametrize("spec", SPECS)
def test_a_key_is_not_pickled_nor_copied(spec: str, pairs: dict[str, Pair]) -> None:
    pair = pairs[spec]
    secrets = (pair, registry.private_key(spec, pair.private), registry.public_key(spec, pair.public))
    for secret in secrets:
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)
        with pytest.raises(TypeError, match="not pickled"):
            copy.deepcopy(secret)


@pytest.mark.parametrize("spec", SPECS)
def test_cut_material_is_refused(spec: str, pairs: dict[str, Pair]) -> None:
    der = pairs[spec].private
    cuts = range(0, len(der), max(1, len(der) // 60))
    assert [cut for cut in cuts if not refused(spec, der[:cut])] == []


@pytest.mark.parametrize("spec", SPECS)
def test_material_with_an_appended_byte_is_refused(spec: str, pairs: dict[str, Pair]) -> None:
    assert refused(spec, pairs[spec].private + b"\0")


@pytest.mark.parametrize("spec", SPECS)
def test_changed_material_is_another_valid_key_or_refused(spec: str, pairs: dict[str, Pair]) -> None:
    generator = random.Random(spec)
    der = pairs[spec].private
    for _ in range(15):
        changed = bytearray(der)
        changed[generator.randrange(len(der))] ^= 1 << generator.randrange(8)
        if not refused(spec, bytes(changed)):
            again = registry.read_private(spec, bytes(changed))
            assert again == registry.read_private(spec, again.private)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("der", [b"", b"\0", b"\x30", b"\x30\x80", b"\x30\x00", b"\x30\x03\x02\x01\x00", b"text" * 300])
def test_what_is_no_key_is_refused(spec: str, der: bytes) -> None:
    assert refused(spec, der)


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"text"])
def test_an_own_key_that_is_none_is_a_fault_of_the_vault(der: bytes) -> None:
    with pytest.raises(errors.VaultTamperedError):
        keypair.own_private(der, RSAPrivateKey)
    with pytest.raises(errors.VaultTamperedError):
        keypair.own_public(der, RSAPublicKey)
