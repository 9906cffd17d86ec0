"""Lines and columns of the parts of a policy."""

import pytest

from kmscli import errors
from kmscli.model import places, policy

TEXT = """{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "one", "Effect": "Allow", "Principal": {"AWS": ["*", "111122223333"]},
     "Action": "kms:*", "Resource": "*",
     "Condition": {"StringEquals": {"kms:EncryptionContext:a.b": ["x\\"[0]", 7, true]}}},
    {"Effect": "Deny"}
  ]
}"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", (1, 1)),
        ("Version", (2, 3)),
        ("Statement", (3, 3)),
        ("Statement[0]", (4, 5)),
        ("Statement[0].Effect", (4, 20)),
        ("Statement[0].Principal.AWS[1]", (4, 66)),
        ("Statement[0].Condition.StringEquals.kms:EncryptionContext:a.b[2]", (6, 80)),
        ("Statement[1]", (7, 5)),
        ("Statement[1].Action", (7, 5)),
        ("Statement[7].Action", (3, 3)),
        ("Nothing", (1, 1)),
    ],
)
def test_a_path_has_a_line_and_a_column(path: str, expected: tuple[int, int]) -> None:
    assert expected == places.find(TEXT, path)


def test_of_a_name_that_stands_twice_the_second_is_too_many() -> None:
    assert places.find('{"Id": 1,\n "Id": {"Id": 2}}', "Id") == (2, 2)


def test_the_path_of_a_fault_is_found() -> None:
    with pytest.raises(errors.MalformedPolicyError) as caught:
        policy.parse(TEXT)
    assert places.find(TEXT, str(caught.value.data["path"])) == (7, 5)
