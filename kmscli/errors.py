"""Every error that can reach a user, each with its published exit code.

One tree, so that one handler serves the command line and, later, the wire: a class carries the name AWS gives the
error (`code`), the exit code (`docs/exit-codes.md`), the HTTP status, and templates of its sentence and its hint. The
raiser supplies data, never sentences. Exit codes are never renumbered.
"""

from typing import ClassVar

EXIT_CODES: dict[int, str] = {
    0: "done (a DryRunOperationException too)",
    1: "a bug, or an I/O failure",
    2: "usage or validation: a malformed command line, request or input",
    3: "declined by the user",
    4: "checked, and found something",
    10: "no vault here",
    11: "the lock timed out",
    12: "wrong passphrase or keyfile",
    13: "locked, or a question that cannot be asked",
    14: "a rule about slots forbids it",
    20: "not found",
    21: "already exists",
    22: "the state of the key forbids it",
    23: "usage or algorithm does not fit the key",
    24: "import token or key material refused",
    30: "access denied",
    31: "a limit or quota is reached",
    40: "the ciphertext or its encryption context does not fit",
    41: "bad signature or MAC",
    42: "the ciphertext belongs to another key",
    50: "the vault is damaged or tampered with",
    51: "the audit log is tampered with",
    52: "the audit log could not be written or checked",
    53: "rollback, or the clock went back",
    60: "some of many failed",
    61: "unsupported version or algorithm",
    125: "exec: kms itself failed",
    126: "exec: the command cannot be run",
    127: "exec: the command was not found",
    130: "interrupted (SIGINT)",
    143: "terminated (SIGTERM)",
}
"""The published table: exit code -> meaning. Numbers between are reserved and mean failure."""


class KmsError(Exception):
    """Base of every error of kms.

    Attributes:
        code: The error's name: AWS's where AWS has one.
        exit_code: What the process ends with.
        http_status: What an endpoint answers with.
        text: Template of the sentence; filled with the keyword data of the constructor.
        advice: Template of the hint ("" = none); filled with the same data.
        audited: Whether a line can still tell of it: not when lock, vault or log themselves failed.
    """

    code: ClassVar[str] = "KMSInternalException"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 400
    text: ClassVar[str] = "an internal error happened"
    advice: ClassVar[str] = ""
    audited: ClassVar[bool] = True

    def __init__(self, *, hint: str | None = None, **data: object) -> None:
        """Fill the class's templates.

        Args:
            hint: Replaces the class's advice; "" removes it.
            data: The values that the templates name.
        """
        self.data = data
        self.message = self.text.format_map(data)
        self.hint = self.advice.format_map(data) if hint is None else hint
        super().__init__(self.message)


# -- bugs and I/O (1) --------------------------------------------------------------------------------------------------


class InternalError(KmsError):
    """A state that the code believes impossible."""

    http_status = 500
    text = "internal error: {what}"
    advice = "this is a bug: please report it with the output of the same command under --debug"


class InputOutputError(KmsError):
    """The operating system refused to read or write a file."""

    code = "InputOutputError"
    http_status = 500
    audited = False
    text = "{path}: {reason}"


class InterruptedByUserError(KmsError):
    """Ctrl-C."""

    code = "Interrupted"
    exit_code = 130
    text = "interrupted"


# -- usage and validation (2) ------------------------------------------------------------------------------------------


class UsageError(KmsError):
    """A command line that does not make sense."""

    code = "UsageError"
    exit_code = 2
    text = "{problem}"


class ValidationError(KmsError):
    """A request that breaks a constraint of the API."""

    code = "ValidationException"
    exit_code = 2
    text = "{problem}"


class SerializationError(KmsError):
    """A request over the wire that is no JSON, or a member of another JSON type than its shape."""

    code = "SerializationException"
    exit_code = 2
    text = "{problem}"


class MalformedBodyError(SerializationError):
    """A request over the wire whose body is no JSON object."""

    text = "The body of the request is no JSON object."


class UnknownOperationError(KmsError):
    """A request over the wire that names no operation."""

    code = "UnknownOperationException"
    exit_code = 2
    text = "The requested operation is not recognized by the service."


class InvalidArnError(KmsError):
    """An ARN that is not one, or not of the kind the member wants."""

    code = "InvalidArnException"
    exit_code = 2
    text = "Invalid arn {arn}"


class InvalidAliasNameError(KmsError):
    """An alias name that breaks AWS's pattern."""

    code = "InvalidAliasNameException"
    exit_code = 2
    text = "{problem}"


class InvalidMarkerError(KmsError):
    """A paging marker that this vault did not give out."""

    code = "InvalidMarkerException"
    exit_code = 2
    text = "The marker is not valid"
    advice = "use the NextMarker of the page before, unchanged, with the same other options"


class TagError(KmsError):
    """A tag that is not acceptable."""

    code = "TagException"
    exit_code = 2
    text = "{problem}"


class MalformedPolicyError(KmsError):
    """A policy document that is none."""

    code = "MalformedPolicyDocumentException"
    exit_code = 2
    text = "{problem}"


class InvalidGrantTokenError(KmsError):
    """A grant token that names no grant."""

    code = "InvalidGrantTokenException"
    exit_code = 2
    text = "The grant token is not valid"
    advice = "use the GrantToken of `kms create-grant`, unchanged; a grant that was retired or revoked has none"


class InvalidGrantIdError(KmsError):
    """A text that cannot be the id of a grant."""

    code = "InvalidGrantIdException"
    exit_code = 2
    text = "The grant ID {grant_id} is not valid"
    advice = "`kms list-grants` shows the grants of a key: an id is 64 hex digits"


class ConfigError(KmsError):
    """A config.toml that cannot be used."""

    code = "ConfigError"
    exit_code = 2
    text = "{path}: {problem}"
    advice = "correct the file, or remove the setting: every setting has a default"


class UnsafeFileError(KmsError):
    """A file that others can read or change, where a secret was expected."""

    code = "UnsafeFile"
    exit_code = 2
    text = "{path}: {problem}"


class JoinRequestError(KmsError):
    """A request to join, or for a new identity, that cannot be granted."""

    code = "InvalidRequest"
    exit_code = 2
    text = "{path}: {problem}"
    advice = "ask the holder for a new one"


class InvalidKeyfileError(KmsError):
    """A file that is not a whole keyfile."""

    code = "InvalidKeyfile"
    exit_code = 2
    text = "{path}: not a keyfile ({problem})"
    advice = "a keyfile is one line that starts with `kms-keyfile-1`; it may have been cut or edited"


class InvalidShareError(InvalidKeyfileError):
    """A file that is not the whole share of a custodian."""

    code = "InvalidShare"
    text = "{path}: not the share of a custodian ({problem})"
    advice = "a share is one line that starts with `kms-share-1`; several keyfiles are taken only if each is one"


# -- asking (3, 10-14) -------------------------------------------------------------------------------------------------


class DeclinedError(KmsError):
    """The user said no."""

    code = "Declined"
    exit_code = 3
    text = "nothing was changed"


class VaultNotFoundError(KmsError):
    """No vault in the named folder."""

    code = "VaultNotFound"
    exit_code = 10
    text = "no vault in {path}"
    advice = "create one with `kms init`, or name another with --vault or KMS_VAULT"


class LockTimeoutError(KmsError):
    """Another process held the vault's lock for too long."""

    code = "LockTimeout"
    exit_code = 11
    http_status = 503
    audited = False
    text = "the vault stayed locked by another process for {seconds:g} seconds"
    advice = "try again, or wait longer with --lock-timeout"


class WrongSecretError(KmsError):
    """No slot of the principal opens with the given passphrase or keyfile."""

    code = "WrongSecret"
    exit_code = 12
    http_status = 403
    text = "wrong {kind} for principal {principal}"
    advice = "`kms slot list` shows the slots of this vault"


class WrongShareError(WrongSecretError):
    """The share of a custodian that does not fit, with its name."""

    text = "{path}: the share of {custodian} {problem}"
    advice = "`kms slot list` shows the custodians of a slot"


class LockedError(KmsError):
    """No source of a secret, or a question, and nobody to ask."""

    code = "Locked"
    exit_code = 13
    http_status = 403
    text = "{problem}"
    advice = "give a secret with --keyfile, --passphrase-file, --passphrase-fd or --passphrase-command"


class SlotRuleError(KmsError):
    """A change of slots that would break a rule about them."""

    code = "SlotRule"
    exit_code = 14
    text = "{problem}"


# -- found, exists, state, usage (20-23) -------------------------------------------------------------------------------


class KeyNotFoundError(KmsError):
    """No such key."""

    code = "NotFoundException"
    exit_code = 20
    text = "Key '{arn}' does not exist"
    advice = "`kms list-keys` shows the keys of this vault"


class InvalidKeyIdError(KmsError):
    """A key reference that is no id, ARN or alias."""

    code = "NotFoundException"
    exit_code = 20
    text = "Invalid keyId '{key_id}'"
    advice = "name a key by id, key ARN, alias/NAME or alias ARN"


class OtherRegionError(KmsError):
    """An ARN of another Region."""

    code = "NotFoundException"
    exit_code = 20
    text = "Invalid arn {region}"


class AliasNotFoundError(KmsError):
    """No such alias."""

    code = "NotFoundException"
    exit_code = 20
    text = "Alias {arn} is not found."
    advice = "`kms list-aliases` shows the aliases of this vault"


class PolicyNotFoundError(KmsError):
    """No policy of that name."""

    code = "NotFoundException"
    exit_code = 20
    text = "No such policy exists"
    advice = "the only name of a key policy is `default`"


class MaterialNotFoundError(KmsError):
    """No such material in a key."""

    code = "NotFoundException"
    exit_code = 20
    text = "Key material {material_id} is not associated with {arn}"
    advice = "`kms list-key-rotations --include-key-material ALL_KEY_MATERIAL` shows those that are"


class GrantNotFoundError(KmsError):
    """No such grant."""

    code = "NotFoundException"
    exit_code = 20
    text = "Grant ID {grant_id} not found"
    advice = "`kms list-grants` shows the grants of a key"


class PrincipalNotFoundError(KmsError):
    """No such principal."""

    code = "PrincipalNotFound"
    exit_code = 20
    text = "no principal {principal} in this vault"
    advice = "`kms slot list` shows who has slots here; choose with --principal or KMS_PRINCIPAL"


class EntityNotFoundError(KmsError):
    """No such principal, or no such policy of one."""

    code = "NoSuchEntity"
    exit_code = 20
    text = "{what} cannot be found."
    advice = "`kms principal list` shows the principals of this vault, `kms principal show NAME` the policies of one"


class SlotNotFoundError(KmsError):
    """No such slot."""

    code = "SlotNotFound"
    exit_code = 20
    text = "no slot {slot}"
    advice = "`kms slot list` shows the slots of this vault"


class AlreadyExistsError(KmsError):
    """The name is taken."""

    code = "AlreadyExistsException"
    exit_code = 21
    text = "An alias with the name {arn} already exists"
    advice = "point it at another key with `kms update-alias`"


class EntityExistsError(KmsError):
    """The name of a principal is taken; users and roles share one space of names."""

    code = "EntityAlreadyExists"
    exit_code = 21
    text = "{what} already exists."
    advice = "choose another name: users and roles share one space of names"


class VaultExistsError(KmsError):
    """`init` where something is already."""

    code = "VaultExists"
    exit_code = 21
    text = "{path} already exists{what}"
    advice = "choose another folder with --vault or KMS_VAULT"


class FileExistsAlreadyError(KmsError):
    """A new secret is never written over an old file."""

    code = "FileExists"
    exit_code = 21
    text = "{path} already exists"
    advice = "choose another name: a keyfile is never overwritten"


class KeyDisabledError(KmsError):
    """The key is disabled."""

    code = "DisabledException"
    exit_code = 22
    text = "{arn} is disabled."
    advice = "`kms enable-key --key-id {key_id}` enables it"


class KeyStateError(KmsError):
    """The key's state forbids the operation."""

    code = "KMSInvalidStateException"
    exit_code = 22
    text = "{arn} is {state}."


class ConflictError(KmsError):
    """A rotation on demand so near to an automatic one that the two would be mixed up."""

    code = "ConflictException"
    exit_code = 22
    text = "an automatic rotation of {arn} is in progress or due within the next {minutes} minutes"
    advice = "wait until it is done"


class InvalidKeyUsageError(KmsError):
    """The key's usage or spec does not fit the operation."""

    code = "InvalidKeyUsageException"
    exit_code = 23
    text = "{problem}"


# -- imported key material (24) ---------------------------------------------------------------------------------------


class InvalidImportTokenError(KmsError):
    """An import token of another key, another vault, or none."""

    code = "InvalidImportTokenException"
    exit_code = 24
    text = "The import token is not valid for this key"
    advice = "use ImportToken and PublicKey of one answer of `kms get-parameters-for-import` for the same key"


class ExpiredImportTokenError(KmsError):
    """An import token whose day is over."""

    code = "ExpiredImportTokenException"
    exit_code = 24
    text = "The import token expired at {time}"
    advice = "get a new one with `kms get-parameters-for-import`, and wrap the key material again"


class IncorrectKeyMaterialError(KmsError):
    """Key material that does not fit the key, or is not the one imported before."""

    code = "IncorrectKeyMaterialException"
    exit_code = 24
    text = "{problem}"


# -- access and limits (30, 31) ----------------------------------------------------------------------------------------


class AccessDeniedError(KmsError):
    """The principal may not do this."""

    code = "AccessDeniedException"
    exit_code = 30
    text = "User: {principal} is not authorized to perform: {action} on resource: {resource} {denial}"


class NotAuthorizedError(KmsError):
    """An alias whose name is kept for keys that kms manages; who asks does not matter."""

    code = "NotAuthorizedException"
    exit_code = 30
    text = "{alias}: names that start with {prefix} are kept for keys that kms manages"
    advice = "choose a name outside {prefix}"


class PrincipalDisabledError(KmsError):
    """Who acts is disabled: nobody believes a line of his any more, so there is none."""

    code = "AccessDeniedException"
    exit_code = 30
    audited = False
    text = "{principal} is disabled"
    advice = "a root of the vault enables it again with `kms principal enable`"


class RootPrincipalError(KmsError):
    """A root, who cannot be taken away like others."""

    code = "UnmodifiableEntity"
    exit_code = 30
    text = "{name} is a root of the vault: a root can neither be disabled nor deleted"


class UnknownCiphertextKeyError(KmsError):
    """The ciphertext names a key that is not here: AWS's answer does not say whether it exists elsewhere."""

    code = "AccessDeniedException"
    exit_code = 30
    text = "The ciphertext refers to a key that does not exist in this vault, or that you are not allowed to use."
    advice = "a ciphertext opens only in the vault that holds its key; `kms status` shows which vault this is"


class MissingAuthenticationTokenError(KmsError):
    """A request that nobody signed."""

    code = "MissingAuthenticationTokenException"
    exit_code = 30
    text = "Missing Authentication Token"
    advice = "sign it with an access key (Signature Version 4), as every AWS SDK does"


class IncompleteSignatureError(KmsError):
    """A signature of a request that lacks a part, or whose form is wrong."""

    code = "IncompleteSignatureException"
    exit_code = 30
    text = "{problem}"


class UnrecognizedClientError(KmsError):
    """No such access key; or a session token, and none is given out here."""

    code = "UnrecognizedClientException"
    exit_code = 30
    text = "The security token included in the request is invalid."


class RequestSignatureError(KmsError):
    """A signature that is not that of the request."""

    code = "InvalidSignatureException"
    exit_code = 30
    text = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details."
    )


class SignatureScopeError(RequestSignatureError):
    """A signature for another day, Region or service, or one of two."""

    text = "{problem}"


class UnsignedHeaderError(RequestSignatureError):
    """A header that must be signed and is not."""

    text = "{header} must be a 'SignedHeader' in the AWS Authorization."


class SignatureExpiredError(RequestSignatureError):
    """A signature that is too old."""

    text = "Signature expired: {signed} is now earlier than {limit}{margin}"
    advice = "set the clock of the client, or sign the request again"


class SignatureNotYetCurrentError(RequestSignatureError):
    """A signature of the future."""

    text = "Signature not yet current: {signed} is still later than {limit}{margin}"
    advice = "set the clock of the client"


class LimitExceededError(KmsError):
    """A quota is reached."""

    code = "LimitExceededException"
    exit_code = 31
    text = "{problem}"


class ThrottlingError(KmsError):
    """More requests of a principal than its share."""

    code = "ThrottlingException"
    exit_code = 31
    text = "Rate exceeded"
    advice = "wait, and try again less often"


class EntityLimitError(KmsError):
    """A quota of principals or of their policies is reached."""

    code = "LimitExceeded"
    exit_code = 31
    text = "{problem}"


# -- ciphertext (40-42) ------------------------------------------------------------------------------------------------


class InvalidCiphertextError(KmsError):
    """Cannot decrypt: changed bytes, wrong context, unknown version. Which, is not said: an attacker could ask."""

    code = "InvalidCiphertextException"
    exit_code = 40
    text = "the ciphertext is damaged, or its encryption context is not the one given"
    advice = "a blob made with an encryption context needs the same one (-c name=value) to decrypt"


class AsymmetricCiphertextError(InvalidCiphertextError):
    """The same for an RSA or ML-KEM key, whose ciphertexts have no encryption context."""

    text = "the ciphertext is damaged, or was made for another key or algorithm"
    advice = ""


class MalformedMessageError(InvalidCiphertextError):
    """A message whose form is wrong: anybody can see it without a key, so what is wrong may be said."""

    text = "the message is damaged: {problem}"
    advice = ""


class BrokenMessageError(InvalidCiphertextError):
    """A message that does not fit its data key: commitment, tag or signature; which of them, is not said."""

    text = "the message is damaged, or was made with another data key"
    advice = ""


class ContextMismatchError(InvalidCiphertextError):
    """A message whose encryption context is not the one that is wanted; it stands in clear, so what differs is said."""

    text = "the encryption context of the message has {what} for {name}"
    advice = "`kms inspect` shows the context of a message"


class MessageLimitError(KmsError):
    """A message that asks for more than this kms gives before it has proved itself."""

    code = "MessageLimitExceeded"
    exit_code = 31
    text = "{what} of the message is {found}; at most {limit} is taken"


class WrappedMaterialError(KmsError):
    """Wrapped key material that does not unwrap: cut, changed, or wrapped under another key or algorithm."""

    code = "InvalidCiphertextException"
    exit_code = 40
    text = "the wrapped key material does not unwrap under the wrapping key of the import token"
    advice = "wrap it under PublicKey of the same answer as the token, with the algorithm that was asked for there"


class InvalidSignatureError(KmsError):
    """A signature that does not hold."""

    code = "KMSInvalidSignatureException"
    exit_code = 41
    text = "the signature does not fit the message, the algorithm and the key"


class InvalidMacError(KmsError):
    """A MAC that does not hold."""

    code = "KMSInvalidMacException"
    exit_code = 41
    text = "the MAC does not fit the message, the algorithm and the key"


class IncorrectKeyError(KmsError):
    """KeyId names another key than the ciphertext does."""

    code = "IncorrectKeyException"
    exit_code = 42
    text = "The key ID in the request does not identify a CMK that can perform this operation."
    advice = "leave --key-id out: the ciphertext names its key"


class DryRunError(KmsError):
    """The dry run succeeded; AWS answers it as an error."""

    code = "DryRunOperationException"
    exit_code = 0
    http_status = 412
    text = "The request would have succeeded, but the DryRun option is set."


# -- integrity (50-53) -------------------------------------------------------------------------------------------------


class VaultTamperedError(KmsError):
    """Bytes of the vault are not those that a root signed."""

    code = "VaultTampered"
    exit_code = 50
    http_status = 500
    audited = False
    text = "the vault is damaged or was tampered with: {what}"
    advice = "use no copy of it as it is; restore a backup and compare the root fingerprint"


class SealBrokenError(VaultTamperedError):
    """Sealed bytes that do not open: key, context or bytes are wrong, and nobody can tell which."""

    text = "something sealed does not open"


class SignatureBrokenError(VaultTamperedError):
    """A signature of the vault that does not hold."""

    text = "a signature does not hold"


class UnsafeVaultError(KmsError):
    """The vault's files do not belong to this user alone."""

    code = "UnsafeVault"
    exit_code = 50
    http_status = 500
    audited = False
    text = "{path}: {problem}"


class AuditTamperedError(KmsError):
    """The audit log is not the one that was signed."""

    code = "AuditTampered"
    exit_code = 51
    http_status = 500
    audited = False
    text = "the audit log was tampered with: {what}"
    advice = "`kms audit verify` names the first bad line; keep the log as it is for whoever investigates"


class AuditUnavailableError(KmsError):
    """No line, no result."""

    code = "AuditUnavailable"
    exit_code = 52
    http_status = 503
    audited = False
    text = "the audit log could not be {action}: {reason}"
    advice = "without its audit line no operation gives a result"


class AuditNotDurableError(AuditUnavailableError):
    """A line is written and may not be on the disk: a failed sync is final, whatever a next one seems to say."""


class RollbackError(KmsError):
    """The vault is older than what was already seen."""

    code = "Rollback"
    exit_code = 53
    http_status = 500
    audited = False
    text = "the vault went back in time: {what}"
    advice = "if you restored a backup on purpose, remove {pin} and run the command again"


class ClockError(KmsError):
    """The clock is behind the last audit line."""

    code = "ClockWentBack"
    exit_code = 53
    http_status = 500
    audited = False
    text = "the clock is {seconds:.0f} seconds behind the last audit line"
    advice = "set the clock; kms refuses to work with one that could revive what has expired"


# -- many, versions (60, 61) -------------------------------------------------------------------------------------------


class SomeFailedError(KmsError):
    """Some of many failed; what, stands with each."""

    code = "SomeFailed"
    exit_code = 60
    text = "{failed} of {total} failed"


class UnsupportedOperationError(KmsError):
    """Asked for what this version or this machine cannot do."""

    code = "UnsupportedOperationException"
    exit_code = 61
    text = "{problem}"


class LegacyMessageError(KmsError):
    """A message without key commitment, which is read on request alone."""

    code = "LegacyMessage"
    exit_code = 61
    text = "the message has algorithm suite {suite}, which does not commit to its key"
    advice = "read it with --allow-legacy if you trust where it comes from, and encrypt it again"


class UnsupportedFormatError(KmsError):
    """Bytes of a newer or unknown format."""

    code = "UnsupportedFormat"
    exit_code = 61
    text = "{what} has format {found}; this kms reads format {known}"
    advice = "a newer kms may read it: `kms version` shows this one's"


# -- exec (125 to 127) -------------------------------------------------------------------------------------------------


class ExecFailedError(KmsError):
    """`kms exec` came to an end before the command began; why, is the error of another class."""

    code = "ExecFailed"
    exit_code = 125
    text = "{what}"


class CommandNotRunnableError(KmsError):
    """The command is there and cannot be run."""

    code = "CommandNotRunnable"
    exit_code = 126
    text = "{command}: {reason}"


class CommandNotFoundError(KmsError):
    """There is no such command."""

    code = "CommandNotFound"
    exit_code = 127
    text = "{command}: command not found"
