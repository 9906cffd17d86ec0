"""AWS JSON 1.1: the bytes of a request to the members of an operation, and an answer or an error to bytes.

Implements docs/spec/endpoint.md, "Requests" and "Answers". Pure: what a member must be is read from the structs of the
service; here only its JSON type counts, as in AWS, where the wire refuses a type (SerializationException) and the
service a value (ValidationException). Members that nobody knows are left out, as there. The texts about types are those
of AWS's framework, as its services with the same protocol answer; but no text repeats a value, which may be a secret.
"""

import zlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from kmscli import errors
from kmscli.formats.wire import from_base64
from kmscli.service import operations
from kmscli.service.members import Kind, Member, Shape, members
from kmscli.service.shapes import Response

CONTENT_TYPE = b"application/x-amz-json-1.1"
TARGET = b"TrentService."

_DECODER = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()

_WITHOUT_MESSAGE = frozenset(
    {
        "InvalidCiphertextException",
        "KMSInvalidSignatureException",
        "KMSInvalidMacException",
        "NotAuthorizedException",
        "UnknownOperationException",
    }
)
_CAPITAL = frozenset({"AccessDeniedException", "SerializationException"})
"""Errors whose text AWS sends as `Message`; those above it sends without any."""
_INTERNAL = "KMSInternalException"
_UNAVAILABLE = "DependencyTimeoutException"

_TARGETS: dict[Kind, str] = {
    "string": "an String",
    "enum": "an String",
    "integer": "an Integer",
    "boolean": "an Boolean",
    "blob": "a Blob",
    "timestamp": "milliseconds since epoch",
}
_WHOLES: dict[Kind, str] = {
    "list": "Expected list or null",
    "map": "Expected map or null",
    "structure": "Expected null",
}


def operation_of(target: bytes | None) -> str:
    """AWS's name of the operation that a request is for.

    Args:
        target: The header x-amz-target, None where there is none.

    Raises:
        UnknownOperationError: It names none.
    """
    name = (target or b"")[len(TARGET) :].decode("ascii", "replace")
    if (
        target is None
        or not target.startswith(TARGET)
        or not (name in operations.OPERATIONS or name in operations.REFUSED)
    ):
        raise errors.UnknownOperationError
    return name


# -- requests ----------------------------------------------------------------------------------------------------------


def decode(operation: str, body: bytes) -> dict[str, object]:
    """The members of a request, blobs as bytes and times as `datetime`.

    Args:
        operation: AWS's name of it.
        body: A JSON object; nothing is an empty one.

    Raises:
        SerializationError: A member has another JSON type than its shape.
        MalformedBodyError: It is none.
    """
    try:
        found = _DECODER.decode(body) if body else {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise errors.MalformedBodyError from error
    if type(found) is not dict:
        raise errors.MalformedBodyError
    if operation in operations.REFUSED:
        return found
    return _structure(operations.load(operation).request, found)


@cache
def _known(struct: type[msgspec.Struct]) -> dict[str, Member]:
    return {member.name: member for member in members(struct) if not member.own}


def _structure(struct: type[msgspec.Struct], values: dict[str, Any]) -> dict[str, object]:
    known = _known(struct)
    return {
        name: _value(known[name].shape, value) for name, value in values.items() if name in known and value is not None
    }


def _value(shape: Shape, value: Any) -> object:  # noqa: ANN401, PLR0911 - any JSON value; one return a kind
    kind, given = shape.kind, type(value)
    if kind in ("string", "enum") and given is str:
        return value
    if kind == "blob" and given is str:
        return _blob(value)
    if kind == "boolean" and given is bool:
        return value
    if kind == "integer" and given in (int, float):
        return _whole(value)
    if kind == "timestamp" and given in (int, float):
        return _time(value)
    if kind == "structure" and given is dict and shape.struct is not None:
        return _structure(shape.struct, value)
    if kind == "list" and given is list and shape.item is not None:
        return [_value(shape.item, inner) for inner in value]
    if kind == "map" and given is dict and shape.item is not None:
        return {name: _value(shape.item, inner) for name, inner in value.items()}
    raise _unfit(kind, given)


def _unfit(kind: Kind, given: type) -> errors.SerializationError:
    if given in _STARTS:
        return errors.SerializationError(problem=f"{_STARTS[given]} found where not expected")
    if kind in _WHOLES:
        return errors.SerializationError(problem=_WHOLES[kind])
    return errors.SerializationError(problem=f"{_CLASSES[given]} can not be converted to {_TARGETS[kind]}")


_STARTS: dict[type, str] = {list: "Start of list", dict: "Start of structure or map"}
_NUMBER = "class com.amazon.coral.value.json.numbers.TruncatingBigNumber"
_CLASSES: dict[type, str] = {
    str: "class java.lang.String",
    bool: "class java.lang.Boolean",
    int: _NUMBER,
    float: _NUMBER,
    type(None): "null",
}


def _blob(text: str) -> bytes:
    blob = from_base64(text)
    if blob is not None:
        return blob
    if len(text) % 4:
        why = f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}"
    else:
        why = "Invalid Base64 character"
    raise errors.SerializationError(problem=f"The value can not be converted to a Blob: {why}")


def _whole(value: float) -> int:
    try:
        return int(value)  # AWS cuts fractions off
    except (ValueError, OverflowError) as error:
        raise _unfit("integer", float) from error


def _time(value: float) -> datetime:
    try:
        found = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _unfit("timestamp", float) from error
    return found.replace(microsecond=found.microsecond // 1000 * 1000)


# -- answers -----------------------------------------------------------------------------------------------------------


def encode(answer: Response) -> bytes:
    """The body of an answer: blobs in base64, times as seconds since 1970; nothing where it has no members."""
    if not answer.__struct_fields__:
        return b""
    if _has_plain_types(type(answer)):
        return _ENCODER.encode(answer)
    return _ENCODER.encode(_plain(msgspec.to_builtins(answer, builtin_types=(datetime,))))


@cache
def _has_plain_types(shape: type[msgspec.Struct]) -> bool:
    """Whether no member can hold a time, as in the answers of all cryptographic operations."""
    return all(str(field.type).replace("typing.", "") in _PLAIN_TYPES for field in msgspec.structs.fields(shape))


_PLAIN_TYPES = {str(kind) for kind in (str, bytes, bool, int, str | None, bytes | None, bool | None, int | None)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - the members of any answer
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    return value


def encode_error(error: errors.KmsError) -> tuple[int, bytes]:
    """HTTP status and body for an error: AWS's name and text, and nothing of what only concerns the vault's owner."""
    code, message = _outer(error)
    body: dict[str, str] = {"__type": code}
    if code not in _WITHOUT_MESSAGE and not isinstance(error, errors.MalformedBodyError):
        body["Message" if code in _CAPITAL else "message"] = message
    status = error.http_status if code == error.code else 500
    return status, _ENCODER.encode(body)


def _outer(error: errors.KmsError) -> tuple[str, str]:
    """What a caller learns: an error that AWS does not have is a fault of this side, whose details stay here."""
    if isinstance(error, errors.LockTimeoutError):
        return _UNAVAILABLE, "The system timed out while trying to fulfill the request. You can retry the request."
    if isinstance(error, errors.InternalError) or not error.code.endswith("Exception"):
        return _INTERNAL, "The request was rejected because an internal exception occurred. The request can be retried."
    return error.code, error.message


def headers(body: bytes, request_id: str) -> bytes:
    """The headers of an answer that say what it is, each with its line end."""
    return b"x-amzn-requestid: %b\r\nx-amz-crc32: %d\r\n%b" % (request_id.encode(), zlib.crc32(body), _CONSTANT)


_CONSTANT = (
    b"content-type: %b\r\n"
    b"cache-control: no-cache, no-store, must-revalidate, private\r\n"
    b"pragma: no-cache\r\n"
    b"expires: 0\r\n" % CONTENT_TYPE
)
