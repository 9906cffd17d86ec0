"""GenerateMac, VerifyMac: RFC 4231's answers, given by keys that were imported; and what does not hold."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmscli.model.specs import GENERATE_VERIFY_MAC, KEY_SPECS, MAC_HASHES
from tests import awsmodel
from tests.ring import MESSAGE, Ring, algorithms, logged, usages

MACS = algorithms(GENERATE_VERIFY_MAC)
ANYTHING = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def hash_of(name: str) -> str:
    """The hash that an algorithm is named after."""
    return f"sha{name.rpartition('_')[2]}"


def generate(ring: Ring, key: str, name: str, message: bytes = MESSAGE) -> bytes:
    mac = ring.perform("GenerateMac", KeyId=key, Message=message, MacAlgorithm=name).mac
    assert isinstance(mac, bytes)
    return mac


def does_not_hold(ring: Ring, key: str, name: str, message: bytes, mac: bytes) -> None:
    error = ring.refused("VerifyMac", KeyId=key, Message=message, Mac=mac, MacAlgorithm=name)
    assert ("KMSInvalidMacException", 41) == (error.code, error.exit_code)


# -- what holds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_a_mac_holds(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, GENERATE_VERIFY_MAC)
    made = ring.answer("GenerateMac", KeyId=key, Message=MESSAGE, MacAlgorithm=name)
    mac = made.pop("Mac")
    assert {"KeyId": ring.arn(key), "MacAlgorithm": name} == made
    held = ring.answer("VerifyMac", KeyId=key, Message=MESSAGE, Mac=mac, MacAlgorithm=name)
    assert {"KeyId": ring.arn(key), "MacValid": True, "MacAlgorithm": name} == held


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
def test_an_answer_has_the_members_of_aws(ring: Ring, operation: str) -> None:
    assert awsmodel.answered(operation) == set(ring.answer(operation, **ring.request(operation)))


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_a_mac_is_the_hmac_under_material_as_long_as_the_hash(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, GENERATE_VERIFY_MAC)
    material = ring.material(key)
    assert hashlib.new(hash_of(name)).digest_size == len(material)
    assert hmac.digest(material, MESSAGE, hash_of(name)) == generate(ring, key, name)


@pytest.mark.parametrize("size", [1, 4096])
def test_a_message_has_1_to_4096_bytes(ring: Ring, size: int) -> None:
    key = ring.cheap(GENERATE_VERIFY_MAC)
    mac = generate(ring, key, "HMAC_SHA_256", bytes(size))
    assert hmac.digest(ring.material(key), bytes(size), "sha256") == mac


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
@pytest.mark.parametrize("size", [0, 4097])
def test_a_message_of_another_length_is_refused(ring: Ring, operation: str, size: int) -> None:
    error = ring.refused(operation, **ring.request(operation) | {"Message": bytes(size)})
    assert ("ValidationException", 2) == (error.code, error.exit_code)
    assert "at 'message' failed to satisfy constraint: Member must have length" in error.message


# -- RFC 4231 ----------------------------------------------------------------------------------------------------------
# Its keys do not have the length of an imported one, and HMAC helps (RFC 2104, section 2): a key shorter than a block
# is filled up with zeros, which can as well be there before; of a key longer than a block the hash is the key.

SHORT_KEYS = {
    1: (b"\x0b" * 20, b"Hi There"),
    2: (b"Jefe", b"what do ya want for nothing?"),
    3: (b"\xaa" * 20, b"\xdd" * 50),
    4: (bytes(range(1, 26)), b"\xcd" * 50),
    5: (b"\x0c" * 20, b"Test With Truncation"),
}
LONG_KEY = b"\xaa" * 131
LONG_MESSAGES = {
    6: b"Test Using Larger Than Block-Size Key - Hash Key First",
    7: b"This is a test using a larger than block-size key and a larger than block-size data. "
    b"The key needs to be hashed before being used by the HMAC algorithm.",
}
MACS_OF_RFC = {
    ("HMAC_SHA_224", 1): "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
    ("HMAC_SHA_224", 2): "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    ("HMAC_SHA_224", 3): "7fb3cb3588c6c1f6ffa9694d7d6ad2649365b0c1f65d69d1ec8333ea",
    ("HMAC_SHA_224", 4): "6c11506874013cac6a2abc1bb382627cec6a90d86efc012de7afec5a",
    ("HMAC_SHA_224", 5): "0e2aea68a90c8d37c988bcdb9fca6fa8",
    ("HMAC_SHA_224", 6): "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e",
    ("HMAC_SHA_224", 7): "3a854166ac5d9f023f54d517d0b39dbd946770db9c2b95c9f6f565d1",
    ("HMAC_SHA_256", 1): "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ("HMAC_SHA_256", 2): "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ("HMAC_SHA_256", 3): "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ("HMAC_SHA_256", 4): "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ("HMAC_SHA_256", 5): "a3b6167473100ee06e0c796c2955552b",
    ("HMAC_SHA_256", 6): "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ("HMAC_SHA_256", 7): "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ("HMAC_SHA_384", 1): "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
    "faea9ea9076ede7f4af152e8b2fa9cb6",
    ("HMAC_SHA_384", 2): "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
    "8e2240ca5e69e2c78b3239ecfab21649",
    ("HMAC_SHA_384", 3): "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"
    "2a5ab39dc13814b94e3ab6e101a34f27",
    ("HMAC_SHA_384", 4): "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e"
    "6801dd23c4a7d679ccf8a386c674cffb",
    ("HMAC_SHA_384", 5): "3abf34c3503b2a23a46efc619baef897",
    ("HMAC_SHA_384", 6): "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
    "0c2ef6ab4030fe8296248df163f44952",
    ("HMAC_SHA_384", 7): "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
    "a678cc31e799176d3860e6110c46523e",
    ("HMAC_SHA_512", 1): "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
    "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ("HMAC_SHA_512", 2): "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ("HMAC_SHA_512", 3): "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
    "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ("HMAC_SHA_512", 4): "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db"
    "a91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
    ("HMAC_SHA_512", 5): "415fad6271580a531d4179bc891d87a6",
    ("HMAC_SHA_512", 6): "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
    "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ("HMAC_SHA_512", 7): "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944"
    "b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
}
"""(MacAlgorithm, test case) -> the MAC; of case 5 the RFC gives the first 16 bytes alone."""
TRUNCATED = 5


def imported(ring: Ring, spec: str, case: int) -> str:
    """A key whose material makes the MACs of a test case."""
    row = KEY_SPECS[spec]
    (name,) = row.usages[GENERATE_VERIFY_MAC]
    if case in LONG_MESSAGES:
        material = hashlib.new(hash_of(name), LONG_KEY).digest()
    else:
        material = SHORT_KEYS[case][0].ljust(int(row.parameter), b"\0")
    return ring.bring(spec, GENERATE_VERIFY_MAC, material, "RSAES_OAEP_SHA_256")


@pytest.mark.parametrize("case", SHORT_KEYS)
@pytest.mark.parametrize(("spec", "name"), MACS)
def test_the_macs_of_rfc_4231_come_of_its_short_keys(ring: Ring, spec: str, name: str, case: int) -> None:
    expected = bytes.fromhex(MACS_OF_RFC[name, case])
    assert expected == generate(ring, imported(ring, spec, case), name, SHORT_KEYS[case][1])[: len(expected)]


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_the_macs_of_rfc_4231_come_of_its_long_key(ring: Ring, spec: str, name: str) -> None:
    key = imported(ring, spec, 6)
    for case, message in LONG_MESSAGES.items():
        assert MACS_OF_RFC[name, case] == generate(ring, key, name, message).hex()


def test_a_truncated_mac_of_rfc_4231_is_refused(ring: Ring) -> None:
    key = imported(ring, "HMAC_256", TRUNCATED)
    mac = bytes.fromhex(MACS_OF_RFC["HMAC_SHA_256", TRUNCATED])
    does_not_hold(ring, key, "HMAC_SHA_256", SHORT_KEYS[TRUNCATED][1], mac)


# -- what does not hold ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_a_changed_bit_of_mac_or_message_is_refused(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, GENERATE_VERIFY_MAC)
    mac = generate(ring, key, name)
    for place in (0, len(mac) // 2, -1):
        changed, other = bytearray(mac), bytearray(MESSAGE)
        changed[place] ^= 1
        other[place] ^= 0x80
        does_not_hold(ring, key, name, MESSAGE, bytes(changed))
        does_not_hold(ring, key, name, bytes(other), mac)


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_a_truncated_or_longer_mac_is_refused(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, GENERATE_VERIFY_MAC)
    mac = generate(ring, key, name)
    for other in (mac[:-1], mac[:16], mac[:1], mac[1:], mac + b"\0", b"\0" + mac, mac + mac):
        does_not_hold(ring, key, name, MESSAGE, other)


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_a_mac_does_not_hold_under_another_key(ring: Ring, spec: str, name: str) -> None:
    mac = generate(ring, ring.key(spec, GENERATE_VERIFY_MAC), name)
    does_not_hold(ring, ring.key(spec, GENERATE_VERIFY_MAC, 1), name, MESSAGE, mac)


@pytest.mark.parametrize("size", [0, 6145])
def test_a_mac_of_an_impossible_length_is_refused(ring: Ring, size: int) -> None:
    error = ring.refused("VerifyMac", **ring.request("VerifyMac") | {"Mac": bytes(size)})
    assert "ValidationException" == error.code


@pytest.mark.parametrize(("spec", "name"), MACS)
@given(mac=st.binary(min_size=1, max_size=80))
@ANYTHING
def test_any_bytes_are_no_mac(ring: Ring, spec: str, name: str, mac: bytes) -> None:
    does_not_hold(ring, ring.key(spec, GENERATE_VERIFY_MAC), name, MESSAGE, mac)


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
@pytest.mark.parametrize("spec", dict(MACS))
def test_an_algorithm_of_another_length_does_not_fit(ring: Ring, spec: str, operation: str) -> None:
    members: dict[str, Any] = {"Message": MESSAGE} | ({"Mac": b"x"} if operation == "VerifyMac" else {})
    for name in MAC_HASHES.keys() - set(KEY_SPECS[spec].usages[GENERATE_VERIFY_MAC]):
        key = ring.key(spec, GENERATE_VERIFY_MAC)
        error = ring.refused(operation, KeyId=key, MacAlgorithm=name, **members)
        assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
        assert f"Algorithm {name} is incompatible with key spec {spec}." == error.message


@pytest.mark.parametrize("operation", ["GenerateMac", "VerifyMac"])
@pytest.mark.parametrize(("spec", "usage"), [each for each in usages() if each[1] != GENERATE_VERIFY_MAC])
def test_a_key_for_something_else_makes_no_macs(ring: Ring, spec: str, usage: str, operation: str) -> None:
    key = ring.key(spec, usage)
    error = ring.refused(operation, **ring.request(operation) | {"KeyId": key})
    assert ("InvalidKeyUsageException", 23) == (error.code, error.exit_code)
    assert f"{ring.arn(key)} key usage is {usage} which is not valid for {operation}." == error.message


# -- the log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "name"), MACS)
def test_neither_message_nor_mac_is_in_the_log(ring: Ring, spec: str, name: str) -> None:
    key = ring.key(spec, GENERATE_VERIFY_MAC)
    message = b"needle in the message of " + spec.encode()
    mac = generate(ring, key, name, message)
    ring.perform("VerifyMac", KeyId=key, Message=message, Mac=mac, MacAlgorithm=name)
    does_not_hold(ring, key, name, message, mac[::-1])
    assert [] == logged(ring, message, mac, mac[::-1], ring.material(key))
    assert {"keyId": key, "macAlgorithm": name} == ring.lines()[-1]["requestParameters"]
    assert "KMSInvalidMacException" == ring.lines()[-1]["errorCode"]
