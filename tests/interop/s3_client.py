"""A program of the S3 Encryption Client: put objects and get them. Run by test_serve_s3.py in a Python of its own.

Its arguments: the endpoint of S3, and a key's ARN; the endpoint of KMS is in the environment.
"""

import sys

import boto3  # type: ignore[import-untyped]
from s3_encryption import S3EncryptionClient, S3EncryptionClientConfig  # type: ignore[import-not-found]
from s3_encryption.materials.kms_keyring import KmsKeyring  # type: ignore[import-not-found]

BODIES = {"empty": b"", "small": b"correct horse", "large": b"0123456789" * 50_000}


def main(s3_url: str, arn: str) -> None:
    """Encrypt, put, get and compare; print what S3 holds of the small one."""
    plain = boto3.client("s3", endpoint_url=s3_url)
    plain.create_bucket(Bucket="bucket")
    keyring = KmsKeyring(kms_client=boto3.client("kms"), kms_key_id=arn)
    client = S3EncryptionClient(boto3.client("s3", endpoint_url=s3_url), S3EncryptionClientConfig(keyring=keyring))
    for key, body in BODIES.items():
        client.put_object(Bucket="bucket", Key=key, Body=body, EncryptionContext={"app": "shop"})
        got = client.get_object(Bucket="bucket", Key=key, EncryptionContext={"app": "shop"})["Body"].read()
        if got != body:
            sys.exit(f"{key}: something else came back")
    sys.stdout.buffer.write(plain.get_object(Bucket="bucket", Key="small")["Body"].read())


main(*sys.argv[1:])
