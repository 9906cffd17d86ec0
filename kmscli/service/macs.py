"""GenerateMac, VerifyMac."""

from typing import Annotated

from msgspec import Meta

from kmscli import errors
from kmscli.crypto import mac
from kmscli.model import limits
from kmscli.model.specs import GENERATE_VERIFY_MAC, MAC_HASHES
from kmscli.service import materials
from kmscli.service.context import Call
from kmscli.service.shapes import DryRun, GrantTokens, KeyId, MacAlgorithm, Message, Request, Response
from kmscli.vault.records import KeyGroup


class GenerateMacRequest(Request, frozen=True, kw_only=True):
    """Members of GenerateMac."""

    message: Message
    key_id: KeyId
    mac_algorithm: MacAlgorithm
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class GenerateMacResponse(Response, frozen=True, kw_only=True):
    """The MAC, and what made it."""

    mac: bytes
    mac_algorithm: str
    key_id: str


def generate_mac(call: Call, request: GenerateMacRequest) -> GenerateMacResponse:
    """The HMAC of a message.

    Raises:
        KmsError: NotFoundException, the key's state, InvalidKeyUsageException, DryRunOperationException.
    """
    key, material = _opened(call, request)
    if request.dry_run:
        raise errors.DryRunError
    algorithm = request.mac_algorithm
    value = mac.generate(material, request.message, MAC_HASHES[algorithm])
    return GenerateMacResponse(mac=value, mac_algorithm=algorithm, key_id=key.arn)


class VerifyMacRequest(Request, frozen=True, kw_only=True):
    """Members of VerifyMac."""

    message: Message
    key_id: KeyId
    mac_algorithm: MacAlgorithm
    mac: Annotated[bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="The MAC to check.")]
    grant_tokens: GrantTokens | None = None
    dry_run: DryRun | None = None


class VerifyMacResponse(Response, frozen=True, kw_only=True):
    """A MAC that holds; one that does not is an error."""

    key_id: str
    mac_valid: bool
    mac_algorithm: str


def verify_mac(call: Call, request: VerifyMacRequest) -> VerifyMacResponse:
    """Check the HMAC of a message.

    Raises:
        KmsError: KMSInvalidMacException if it does not hold; else as `generate_mac`.
    """
    key, material = _opened(call, request)
    algorithm = request.mac_algorithm
    mac.verify(material, request.message, request.mac, MAC_HASHES[algorithm])
    if request.dry_run:
        raise errors.DryRunError
    return VerifyMacResponse(key_id=key.arn, mac_valid=True, mac_algorithm=algorithm)


def _opened(call: Call, request: GenerateMacRequest | VerifyMacRequest) -> tuple[KeyGroup, bytes]:
    key = call.usable(request.key_id, GENERATE_VERIFY_MAC, request.grant_tokens)
    call.check_algorithm(key, request.mac_algorithm)
    return key, materials.open_version(call, key, materials.current(key))
