"""AWS's numbers, and ours where AWS has none; the one place where a bound is written.

Source of the AWS bounds: the KMS API model of botocore and the quotas page of the AWS KMS developer guide.
"""

PLAINTEXT_MAX = 4096
"""Bytes that Encrypt takes."""
CIPHERTEXT_MAX = 6144
"""Bytes that Decrypt takes."""
RANDOM_MAX = 1024
"""Bytes of one GenerateRandom, and of a data key by NumberOfBytes."""
KEY_ID_MAX = 2048
DESCRIPTION_MAX = 8192
ALIAS_NAME_MAX = 256
ALIASES_PER_KEY = 50
TAG_KEY_MAX = 128
TAG_VALUE_MAX = 256
TAGS_PER_KEY = 50
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
SLOTS_PER_PRINCIPAL = 16
SLOT_LABEL_MAX = 64
AUDIT_LINE_MAX = 4 * 1024 * 1024
"""Bytes of one audit line: what is read before anything in it is believed."""
AUDIT_PARAMETERS_MAX = 256 * 1024
"""Bytes of the requestParameters of a line: more than any request takes that can succeed."""
AUDIT_MESSAGE_MAX = 4096
"""Characters of the errorMessage of a line."""
CLOCK_TOLERANCE_SECONDS = 300
"""How far the clock may lie behind the last audit line."""
