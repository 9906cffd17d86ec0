"""`aws kms` at the endpoint and `kms` over the vault: one script, one answer."""

import json
import re
import subprocess

import pytest

from tests.endpoint import KMS, Served, place, serving
from tests.interop.clients import client

LIFE = r"""
printf 'correct horse' > plain
id=$(kms create-key --description 'of a script' --tags TagKey=a,TagValue=b --query KeyMetadata.KeyId --output text)
say kms create-alias --alias-name alias/app --target-key-id "$id"
say kms describe-key --key-id alias/app
say kms list-keys
say kms list-aliases --key-id "$id" --query 'Aliases[].[AliasName, TargetKeyId]' --output text
kms encrypt --key-id alias/app --plaintext fileb://plain --encryption-context app=shop \
  --query CiphertextBlob --output text | base64 -d > blob
say kms decrypt --ciphertext-blob fileb://blob --encryption-context app=shop --query Plaintext --output text
say kms generate-data-key --key-id alias/app --key-spec AES_256
say kms generate-random --number-of-bytes 32 --query 'length(Plaintext)'
say kms enable-key-rotation --key-id "$id" --rotation-period-in-days 90
say kms rotate-key-on-demand --key-id "$id"
say kms list-key-rotations --key-id "$id" --query 'Rotations[].RotationType'
say kms tag-resource --key-id "$id" --tags TagKey=c,TagValue=d TagKey=e,TagValue=
say kms untag-resource --key-id "$id" --tag-keys a e
say kms list-resource-tags --key-id "$id"
kms get-key-policy --key-id "$id" --policy-name default --query Policy --output text > policy.json
say kms put-key-policy --key-id "$id" --policy-name default --policy file://policy.json
say kms create-grant --key-id "$id" --grantee-principal arn:aws:iam::000000000000:user/alice \
  --operations Encrypt Decrypt --constraints EncryptionContextSubset={app=shop} --name one
say kms list-grants --key-id "$id"
grant=$(kms list-grants --key-id "$id" --query 'Grants[0].GrantId' --output text)
say kms revoke-grant --key-id "$id" --grant-id "$grant"
say kms disable-key --key-id "$id"
say kms schedule-key-deletion --key-id "$id" --pending-window-in-days 7
signing=$(kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)
say kms get-public-key --key-id "$signing"
kms sign --key-id "$signing" --message fileb://plain --signing-algorithm ECDSA_SHA_256 \
  --query Signature --output text | base64 -d > signature
say kms verify --key-id "$signing" --message fileb://plain --signature fileb://signature \
  --signing-algorithm ECDSA_SHA_256
"""

ERRORS = (
    "describe-key --key-id alias/absent",
    "describe-key --key-id arn:aws:kms:x",
    "generate-random --number-of-bytes 2000",
    "list-grants --key-id 12345678-1234-1234-1234-123456789012",
    "list-keys --starting-token x --page-size 1",
    "put-key-policy --key-id alias/absent --policy {}",
    "describe-custom-key-stores",
)

_SAY = 'set -e\nsay() { echo "\\$ $*"; "$@"; }\n'
_DRAWN = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "id"),
    (r"[0-9a-f]{64}", "hex"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "time"),
    (r'(?<=")[A-Za-z0-9+/_-]{40,}={0,2}(?=")', "drawn"),
)


def _plain(text: str) -> str:
    """An output without what chance and time gave it: the first id is id1, wherever it stands."""
    for pattern, name in _DRAWN:
        known: dict[str, str] = {}
        text = re.sub(pattern, lambda found: known.setdefault(found[0], f"<{name}{len(known) + 1}>"), text)  # noqa: B023
    # A time is drawn anew with each line.
    return re.sub(r"<time\d+>", "<time>", text)


def _script(served: Served, prefix: str) -> str:
    # Version 1 prints times as they came; this is what version 2 does by itself.
    config = served.place.folder / "config"
    config.write_text("[default]\ncli_timestamp_format = iso8601\n")
    done = subprocess.run(
        ["bash", "-c", f"{_SAY}{prefix}\n{LIFE}"],
        env=served.environ() | {"TZ": "UTC", "AWS_CONFIG_FILE": str(config)},
        cwd=served.place.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert 0 == done.returncode, (done.stdout, done.stderr)
    return _plain(done.stdout)


@pytest.mark.needs("bash")
def test_one_script_prints_the_same_with_aws_and_with_kms() -> None:
    aws = client("aws")
    printed = []
    for prefix in (f'kms() {{ "{aws}" kms "$@"; }}', f'kms() {{ "{KMS}" "$@"; }}'):
        with place() as where, serving(where) as served:
            printed.append(_script(served, prefix).splitlines())
    assert len(printed[0]) > 100
    assert printed[0] == printed[1]


def _failed(served: Served, *argv: str) -> str:
    done = subprocess.run(
        argv, env=served.environ(), cwd=served.place.folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 != done.returncode
    assert not done.stdout
    return done.stderr


def test_an_error_has_the_same_name_and_text_with_aws_and_with_kms() -> None:
    aws = client("aws")
    with place() as where, serving(where) as served:
        for words in ERRORS:
            ours = json.loads(_failed(served, KMS, *words.split(), "--output", "json"))
            theirs = _failed(served, aws, "kms", *words.split())
            found = re.search(r"An error occurred \((\w+)\) when calling the \w+ operation: (.*)", theirs)
            assert found, theirs
            assert (ours["__type"], ours["message"]) == (found[1], found[2])
