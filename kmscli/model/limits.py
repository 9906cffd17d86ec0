"""AWS's numbers, and ours where AWS has none; the one place where a bound is written.

What bounds a request is AWS's, always. What bounds an account is one of two profiles, chosen in config.toml. Source of
the AWS bounds: the KMS API model of botocore and the quotas page of the AWS KMS developer guide.
"""

import msgspec

PLAINTEXT_MAX = 4096
"""Bytes that Encrypt takes."""
CIPHERTEXT_MAX = 6144
"""Bytes that Decrypt takes."""
RANDOM_MAX = 1024
"""Bytes of one GenerateRandom, and of a data key by NumberOfBytes."""
KEY_ID_MAX = 2048
DESCRIPTION_MAX = 8192
ALIAS_NAME_MAX = 256
TAG_KEY_MAX = 128
TAG_VALUE_MAX = 256
TAGS_PAGE = 50
TAGS_PAGE_MAX = 50
GRANTS_PAGE = 50
GRANTS_PAGE_MAX = 100
GRANT_NAME_MAX = 256
GRANT_ID_MAX = 128
GRANT_TOKEN_MAX = 8192
GRANT_TOKENS_MAX = 10
"""Grant tokens of one request."""
PRINCIPAL_ARN_MAX = 256
SERVICE_PRINCIPAL_MAX = 128
MESSAGE_MAX = 4096
"""Bytes of a message to sign or to authenticate."""
PUBLIC_KEY_MAX = 8192
"""Bytes of the public key of a peer."""
POLICY_MAX = 131_072
"""Characters of a policy that a request may hold."""
POLICY_BYTES_MAX = 32_768
"""Bytes of a policy that a key may have (quota)."""
POLICY_NAME_MAX = 128
KEY_STORE_ID_MAX = 64
XKS_KEY_ID_MAX = 128
ATTESTATION_MAX = 262_144
MATERIAL_ID_LENGTH = 64
MATERIAL_DESCRIPTION_MAX = 256
MATERIAL_VALID_DAYS_MAX = 365
"""How far ahead imported material may expire."""
IMPORT_TOKEN_HOURS = 24
ROTATION_DAYS_MIN = 90
ROTATION_DAYS_MAX = 2560
ROTATION_DAYS_DEFAULT = 365
MARKER_MAX = 1024
LIST_LIMIT_MAX = 1000
"""Largest page of list operations."""
KEYS_PAGE = 100
"""Page of ListKeys and ListKeyRotations when Limit is absent; at most LIST_LIMIT_MAX."""
ALIASES_PAGE = 50
ALIASES_PAGE_MAX = 100
DELETION_WINDOW_MIN = 7
DELETION_WINDOW_MAX = 30
DELETION_WINDOW_DEFAULT = 30

ENCRYPTION_CONTEXT_MAX = 8192
"""Bytes of the canonical encryption context (docs/spec/blob.md); AWS bounds its serialised context so."""

POLICY_MAX = 131_072
"""Characters of a policy document (the API's shape)."""
POLICY_BYTES_MAX = 32_768
"""Bytes of a key policy (AWS's quota, below what the shape allows)."""
POLICY_DEPTH_MAX = 8
"""Nesting of a policy document; the deepest value that the grammar has lies in the sixth."""
GRANT_CONTEXT_PAIRS = 8
"""Pairs in each encryption context constraint of a grant."""
GRANT_CONTEXT_VALUE_MAX = 384
"""Characters of each value there."""

PRINCIPAL_NAME_MAX = 64
PRINCIPAL_ARN_MAX = 256
PRINCIPALS_MAX = 5000
"""Users and roles of a vault together; IAM has this quota for users."""
IDENTITY_POLICY_NAME_MAX = 128
IDENTITY_POLICIES_MAX = {"user": 2048, "role": 10_240}
"""Characters of all inline policies of a principal together, white space not counted (IAM quotas)."""
IDENTITY_TAGS_MAX = 50
ACCESS_KEYS_MAX = 2
"""Access keys of one principal (IAM quota)."""
SLOTS_PER_PRINCIPAL = 16
SLOT_LABEL_MAX = 64
CUSTODIANS_MIN = 2
CUSTODIANS_MAX = 16
"""Custodians of one slot; its threshold lies between the two."""
COMBINATIONS_MAX = 256
"""Ways in which a slot of custodians may open."""
AUDIT_LINE_MAX = 4 * 1024 * 1024
"""Bytes of one audit line: what is read before anything in it is believed."""
AUDIT_PARAMETERS_MAX = 256 * 1024
"""Bytes of the requestParameters of a line: more than any request takes that can succeed."""
AUDIT_MESSAGE_MAX = 4096
"""Characters of the errorMessage of a line."""
CLOCK_TOLERANCE_SECONDS = 300
"""How far the clock may lie behind the last audit line."""


class AccountLimits(msgspec.Struct, frozen=True):
    """What bounds an account; None = without end.

    Attributes:
        keys: Keys of the vault.
        aliases: Aliases of one key.
        tags: Tags of one key.
        grants: Grants on one key.
        on_demand_rotations: Rotations on demand in the life of one key.
    """

    keys: int
    aliases: int
    tags: int
    grants: int
    on_demand_rotations: int | None


DEFAULT_PROFILE = "local"
PROFILES: dict[str, AccountLimits] = {
    "local": AccountLimits(keys=1_000_000, aliases=50, tags=50, grants=50_000, on_demand_rotations=None),
    "aws": AccountLimits(keys=100_000, aliases=50, tags=50, grants=50_000, on_demand_rotations=25),
}
"""Name of a profile in config.toml -> its limits; `aws` is for those who test against AWS's own."""
