"""The error tree against its published table, and against AWS's own list of errors."""

import string
from typing import Any

import botocore.loaders  # type: ignore[import-untyped]
import pytest

from kmscli import errors
from kmscli.errors import EXIT_CODES, KmsError

CUSTOM_KEY_STORE = "belongs to CloudHSM and external key stores, which need a cloud"
CLOUD_ONLY = {
    "DependencyTimeoutException": "AWS's own services time out; a lock that does is LockTimeout",
    "KeyUnavailableException": "a key of a custom key store or a replica that is not ready",
}
PREFIXES_OF_KEY_STORES = ("CloudHsm", "CustomKeyStore", "IncorrectTrustAnchor", "Xks")


def classes() -> list[type[KmsError]]:
    found: list[type[KmsError]] = []
    pending: list[type[KmsError]] = [KmsError]
    while pending:
        found.append(pending.pop())
        pending.extend(found[-1].__subclasses__())
    return sorted(found, key=lambda found: found.__name__)


CLASSES = classes()
LEAVES = [found for found in CLASSES if found is not KmsError]


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def data(found: type[KmsError]) -> dict[str, Any]:
    # A number formats under every spec that the templates use, a text does not.
    return dict.fromkeys(fields(found.text) | fields(found.advice), 7)


def aws_errors() -> set[str]:
    model = botocore.loaders.Loader().load_service_model("kms", "service-2")
    return {name for name, shape in model["shapes"].items() if shape.get("exception")}


@pytest.mark.parametrize("found", CLASSES)
def test_each_class_has_a_published_exit_code(found: type[KmsError]) -> None:
    assert found.exit_code in EXIT_CODES


@pytest.mark.parametrize("found", LEAVES)
def test_each_class_is_named_an_error_and_explains_itself(found: type[KmsError]) -> None:
    assert found.__name__.endswith("Error")
    assert found.__doc__
    assert found.code


@pytest.mark.parametrize("found", LEAVES)
def test_text_and_advice_can_be_filled(found: type[KmsError]) -> None:
    error = found(**data(found))
    assert "{" not in error.message + error.hint
    assert error.message
    assert str(error) == error.message


@pytest.mark.parametrize("found", LEAVES)
def test_a_hint_is_a_line_of_its_own_and_says_something_else(found: type[KmsError]) -> None:
    error = found(**data(found))
    assert "\n" not in error.message + error.hint
    assert error.hint != error.message


def test_a_given_hint_replaces_the_advice() -> None:
    assert errors.IncorrectKeyError(hint="another").hint == "another"
    assert errors.IncorrectKeyError(hint="").hint == ""


def test_data_stays_with_the_error() -> None:
    assert errors.KeyDisabledError(arn="a", key_id="k").data == {"arn": "a", "key_id": "k"}


def test_data_is_not_a_template_itself() -> None:
    assert errors.UsageError(problem="{arn} {0}").message == "{arn} {0}"


def test_a_bug_is_no_exit_code_that_means_something_else() -> None:
    assert errors.InternalError(what="x").exit_code == 1
    assert KmsError.exit_code == 1


PUBLISHED = {
    "DryRunOperationException": 0,
    "KMSInternalException": 1,
    "ValidationException": 2,
    "InvalidArnException": 2,
    "InvalidAliasNameException": 2,
    "InvalidMarkerException": 2,
    "TagException": 2,
    "MalformedPolicyDocumentException": 2,
    "SerializationException": 2,
    "UnknownOperationException": 2,
    "InvalidGrantIdException": 2,
    "InvalidGrantTokenException": 2,
    "Declined": 3,
    "VaultNotFound": 10,
    "LockTimeout": 11,
    "WrongSecret": 12,
    "Locked": 13,
    "SlotRule": 14,
    "NotFoundException": 20,
    "AlreadyExistsException": 21,
    "DisabledException": 22,
    "KMSInvalidStateException": 22,
    "ConflictException": 22,
    "InvalidKeyUsageException": 23,
    "InvalidImportTokenException": 24,
    "ExpiredImportTokenException": 24,
    "IncorrectKeyMaterialException": 24,
    "AccessDeniedException": 30,
    "NotAuthorizedException": 30,
    "MissingAuthenticationTokenException": 30,
    "IncompleteSignatureException": 30,
    "InvalidSignatureException": 30,
    "UnrecognizedClientException": 30,
    "LimitExceededException": 31,
    "ThrottlingException": 31,
    "InvalidCiphertextException": 40,
    "KMSInvalidSignatureException": 41,
    "KMSInvalidMacException": 41,
    "IncorrectKeyException": 42,
    "VaultTampered": 50,
    "AuditTampered": 51,
    "AuditUnavailable": 52,
    "Rollback": 53,
    "ClockWentBack": 53,
    "UnsupportedOperationException": 61,
    "UnsupportedFormat": 61,
    "Interrupted": 130,
}
"""Never renumbered: scripts depend on it."""


@pytest.mark.parametrize(("code", "exit_code"), PUBLISHED.items())
def test_an_exit_code_is_never_renumbered(code: str, exit_code: int) -> None:
    assert {found.exit_code for found in CLASSES if found.code == code} == {exit_code}


def test_the_published_table_is_never_renumbered() -> None:
    assert list(EXIT_CODES) == [
        *range(5),
        *range(10, 15),
        *range(20, 25),
        30,
        31,
        *range(40, 43),
        *range(50, 54),
        60,
        61,
        *range(125, 128),
        130,
        143,
    ]


def test_one_name_has_one_exit_code() -> None:
    codes: dict[str, set[int]] = {}
    for found in CLASSES:
        codes.setdefault(found.code, set()).add(found.exit_code)
    assert {code: exits for code, exits in codes.items() if len(exits) > 1} == {}


@pytest.mark.parametrize("name", sorted(aws_errors()))
def test_each_error_of_aws_has_a_class_or_a_reason_to_have_none(name: str) -> None:
    ours = any(found.code == name for found in CLASSES)
    reason = CLOUD_ONLY.get(name)
    if name.startswith(PREFIXES_OF_KEY_STORES):
        reason = CUSTOM_KEY_STORE
    assert ours != bool(reason)


def test_no_reason_stands_for_an_error_that_aws_does_not_have() -> None:
    assert CLOUD_ONLY.keys() - aws_errors() == set()


def test_names_in_the_form_of_aws_are_names_of_aws() -> None:
    outside_the_model = {
        "ValidationException",
        "AccessDeniedException",
        "NotAuthorizedException",
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "SerializationException",
        "ThrottlingException",
        "UnknownOperationException",
    }
    claimed = {found.code for found in CLASSES if found.code.endswith("Exception")}
    assert claimed - aws_errors() == outside_the_model


def test_what_failed_before_the_log_is_not_written_to_it() -> None:
    # Whoever is disabled signs no line: one of his would be refused by whoever verifies the log.
    unaudited = {found.code for found in CLASSES if not found.audited and found is not errors.PrincipalDisabledError}
    assert not errors.PrincipalDisabledError.audited
    assert unaudited == {
        "AuditTampered",
        "AuditUnavailable",
        "ClockWentBack",
        "InputOutputError",
        "LockTimeout",
        "Rollback",
        "UnsafeVault",
        "VaultTampered",
    }


def test_what_cannot_be_decrypted_is_told_in_one_sentence() -> None:
    assert fields(errors.InvalidCiphertextError.text) == set()
