"""Names: key ids, aliases, ARNs, and how a person may name a key.

Source: AWS KMS developer guide, "Key identifiers (KeyId)", and AWS General Reference, "ARNs".
"""

import re
from collections.abc import Callable
from functools import cache

import msgspec

from kmscli import errors
from kmscli.model import limits

ALIAS_PREFIX = "alias/"
MANAGED_ALIAS_PREFIX = "alias/aws/"
MULTI_REGION_PREFIX = "mrk-"
DEFAULT_ACCOUNT = "000000000000"
DEFAULT_REGION = "local"

ALIAS_PATTERN = r"alias/[a-zA-Z0-9/_-]+"
"""What a new alias name must match, whole (CreateAlias)."""

# Patterns are compiled when one is first used: a command needs one or two of them.
_KEY_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}"
_KMS_ARN = r"arn:aws:kms:([^:/]+):([0-9]{12}):(key/(.+)|alias/.+)"
_PRINCIPAL_NAME = r"[A-Za-z0-9+=,.@_-]+"
_ACCESS_KEY_ID = r"AKIA[A-Z2-7]{16}"
_REGION = r"[a-z0-9]+(-[a-z0-9]+)*"
_ACCOUNT = r"[0-9]{12}"


class Place(msgspec.Struct, frozen=True):
    """The account and the Region in which a vault's ARNs live."""

    account: str
    region: str


class KeyRef(msgspec.Struct, frozen=True):
    """How somebody named a key: exactly one of the two is set."""

    key_id: str | None
    alias: str | None


def new_uuid(rng: Callable[[int], bytes]) -> str:
    """A random UUID (RFC 9562 version 4): a key id, an event id."""
    raw = bytearray(rng(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_multi_region_id(rng: Callable[[int], bytes]) -> str:
    """The id of a new multi-Region key: the same in every Region."""
    return MULTI_REGION_PREFIX + rng(16).hex()


@cache
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern)


def is_multi_region(key_id: str) -> bool:
    """Whether a key id is that of a multi-Region key."""
    return key_id.startswith(MULTI_REGION_PREFIX)


def is_key_id(text: str) -> bool:
    """Whether `text` has the form of a key id."""
    return _compiled(_KEY_ID).fullmatch(text) is not None


def is_access_key_id(text: str) -> bool:
    """Whether `text` has the form of an access key id."""
    return _compiled(_ACCESS_KEY_ID).fullmatch(text) is not None


def key_arn(place: Place, key_id: str) -> str:
    """The ARN of a key."""
    return f"arn:aws:kms:{place.region}:{place.account}:key/{key_id}"


def alias_arn(place: Place, alias: str) -> str:
    """The ARN of an alias; `alias` with its prefix."""
    return f"arn:aws:kms:{place.region}:{place.account}:{alias}"


def user_arn(place: Place, name: str) -> str:
    """The ARN of a user."""
    return principal_arn(place, "user", name)


def principal_arn(place: Place, kind: str, name: str) -> str:
    """The ARN of a principal; `kind` is user or role."""
    return f"arn:aws:iam::{place.account}:{kind}/{name}"


def parse_key_ref(text: str, place: Place) -> KeyRef:
    """What a KeyId member names: a key id, key ARN, alias name or alias ARN.

    Raises:
        KmsError: NotFoundException for a name of no known form or of another place, InvalidArnException for an ARN
            that is none. A bare alias name is never tried silently; the hint offers it.
    """
    if text.startswith("arn:"):
        return _parse_arn(text, place)
    if text.startswith(ALIAS_PREFIX):
        return KeyRef(None, text)
    if is_key_id(text):
        return KeyRef(text, None)
    if re.fullmatch(ALIAS_PATTERN, ALIAS_PREFIX + text):
        raise errors.InvalidKeyIdError(key_id=text, hint=f"did you mean {ALIAS_PREFIX}{text}?")
    raise errors.InvalidKeyIdError(key_id=text)


def _parse_arn(text: str, place: Place) -> KeyRef:
    match = _compiled(_KMS_ARN).fullmatch(text)
    if match is None:
        raise errors.InvalidArnError(arn=text)
    region, account, resource, key_id = match.groups()
    here = f"this vault is account {place.account}, Region {place.region}"
    if region != place.region:
        raise errors.OtherRegionError(region=region, hint=here)
    if account != place.account:
        raise errors.KeyNotFoundError(arn=text, hint=here)
    return KeyRef(key_id, None) if key_id is not None else KeyRef(None, resource)


def check_new_alias(alias: str) -> None:
    """Refuse an alias name that a user may not create.

    Raises:
        ValidationError: No prefix, or characters that no alias has.
        NotAuthorizedError: A name of a managed key.
        InvalidAliasNameError: Nothing follows the prefix.
    """
    check_alias(alias)
    if alias == ALIAS_PREFIX:
        raise errors.InvalidAliasNameError(problem=f"{alias} has no name after its prefix")
    if len(alias) > limits.ALIAS_NAME_MAX or re.fullmatch(ALIAS_PATTERN, alias) is None:
        raise errors.ValidationError(
            problem=f"{alias} contains invalid characters for an alias",
            hint="letters, digits, / _ and - may follow alias/",
        )


def check_alias(alias: str) -> None:
    """Refuse a name that is not that of an alias which users can change.

    Raises:
        ValidationError: It has not the prefix of aliases.
        NotAuthorizedError: It has that of managed keys.
    """
    if not alias.startswith(ALIAS_PREFIX):
        raise errors.ValidationError(
            problem='Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            hint=f"did you mean {ALIAS_PREFIX}{alias}?",
        )
    if alias.startswith(MANAGED_ALIAS_PREFIX):
        raise errors.NotAuthorizedError(alias=alias, prefix=MANAGED_ALIAS_PREFIX)


def check_principal_name(name: str) -> str:
    """`name`, if it can name a principal (IAM's pattern, 64 characters).

    Raises:
        ValidationError: It cannot.
    """
    if len(name) > limits.PRINCIPAL_NAME_MAX or re.fullmatch(_PRINCIPAL_NAME, name) is None:
        raise errors.ValidationError(
            problem=f"{name!r} cannot name a principal",
            hint="1 to 64 letters, digits and + = , . @ _ -",
        )
    return name


def check_place(place: Place) -> Place:
    """`place`, if its account is 12 digits and its Region a Region name.

    Raises:
        ValidationError: It is not.
    """
    if re.fullmatch(_ACCOUNT, place.account) is None:
        raise errors.ValidationError(problem=f"{place.account!r} is no account number", hint="12 digits")
    if re.fullmatch(_REGION, place.region) is None:
        raise errors.ValidationError(
            problem=f"{place.region!r} cannot name a Region", hint="lower-case words joined by -, such as eu-central-1"
        )
    return place
