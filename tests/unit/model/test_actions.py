"""The actions of policies, beside the operations of the API."""

import pytest

from kmscli.model import actions
from kmscli.service.operations import OPERATIONS, REFUSED


def test_every_operation_has_its_action() -> None:
    operations = {f"kms:{name}" for name in (*OPERATIONS, *REFUSED)} - {"kms:ReEncrypt"}
    # The halves of ReEncrypt, and what AWS does by itself.
    assert set(actions.ACTIONS) == operations | {
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:SynchronizeMultiRegionKey",
    }


def test_what_is_about_no_key_is_not_among_the_rest() -> None:
    assert {f"kms:{name}" for name, row in OPERATIONS.items() if row.keyless}.isdisjoint(actions.WITH_KEY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("decrypt", "kms:Decrypt"), ("KMS:reencryptfrom", "kms:ReEncryptFrom"), ("s3:Get", None), ("kms:*", None)],
)
def test_an_action_has_one_spelling(text: str, expected: str | None) -> None:
    assert expected == actions.canonical(text)
