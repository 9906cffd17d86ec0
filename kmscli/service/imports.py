"""GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial: key material that its owner brings.

The import token holds the private half of the wrapping key, sealed for this vault and bound to the key; so nothing is
kept of an import that nobody makes (docs/spec/vault.md, "Import tokens").
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kmscli import errors
from kmscli.crypto import kdf, registry, seal, wrap
from kmscli.crypto.keypair import Pair
from kmscli.formats import importtoken
from kmscli.formats.importtoken import ImportToken
from kmscli.formats.record import KeyRecord, VersionRecord
from kmscli.model import limits
from kmscli.model.specs import KEY_SPECS, WRAPPING_ALGORITHMS, WRAPPING_KEY_BITS
from kmscli.service import due, materials
from kmscli.service.context import Call, Change, refuse_unsupported
from kmscli.service.metadata import DOES_NOT_EXPIRE, EXPIRES
from kmscli.service.shapes import KeyId, KeyMaterialId, Request, Response
from kmscli.vault.records import KeyGroup

EXISTING = "EXISTING_KEY_MATERIAL"
NEW = "NEW_KEY_MATERIAL"


class GetParametersForImportRequest(Request, frozen=True, kw_only=True):
    """Members of GetParametersForImport."""

    key_id: KeyId
    wrapping_algorithm: Annotated[
        Literal[
            "RSAES_PKCS1_V1_5",
            "RSAES_OAEP_SHA_1",
            "RSAES_OAEP_SHA_256",
            "RSA_AES_KEY_WRAP_SHA_1",
            "RSA_AES_KEY_WRAP_SHA_256",
            "SM2PKE",
        ],
        Meta(description="How the key material will be wrapped; RSA private keys need RSA_AES_KEY_WRAP."),
    ]
    wrapping_key_spec: Annotated[
        Literal["RSA_2048", "RSA_3072", "RSA_4096", "SM2"], Meta(description="The kind of wrapping key.")
    ]


class GetParametersForImportResponse(Response, frozen=True, kw_only=True):
    """What an import needs; valid for a day."""

    key_id: str
    import_token: bytes
    public_key: bytes
    parameters_valid_to: datetime


def get_parameters_for_import(call: Call, request: GetParametersForImportRequest) -> GetParametersForImportResponse:
    """A wrapping key, and the token that brings its private half back with the import.

    Raises:
        KmsError: NotFoundException, UnsupportedOperationException, the key's state.
    """
    for value in (request.wrapping_algorithm, request.wrapping_key_spec):
        refuse_unsupported(value)
    key = call.find(request.key_id)
    call.require_origin(key, "EXTERNAL")
    call.check_state(key)
    pair = wrap.new_wrapping_key(WRAPPING_KEY_BITS[request.wrapping_key_spec])
    valid_to = call.now + timedelta(hours=limits.IMPORT_TOKEN_HOURS)
    token = ImportToken(algorithm=request.wrapping_algorithm, private=pair.private, valid_to=valid_to)
    sealed = seal.seal(_token_key(call), importtoken.encode(token), context=_token_context(call, key.record))
    return GetParametersForImportResponse(
        key_id=key.arn,
        import_token=importtoken.with_header(sealed),
        public_key=pair.public,
        parameters_valid_to=valid_to,
    )


def _token_key(call: Call) -> bytes:
    return kdf.expand(materials.vault_secret(call), b"kms/v1/import-token-key", seal.KEY_BYTES)


def _token_context(call: Call, key: KeyRecord) -> bytes:
    return importtoken.context(call.records.vault.vault_id, key.key_id)


def _opened_token(call: Call, key: KeyRecord, data: bytes) -> ImportToken:
    """The token, if this vault made it for this key, and its day is not over.

    Raises:
        KmsError: InvalidImportTokenException, ExpiredImportTokenException.
    """
    try:
        body = seal.unseal(_token_key(call), importtoken.without_header(data), context=_token_context(call, key))
    except errors.SealBrokenError as error:
        raise errors.InvalidImportTokenError from error
    token = importtoken.decode(body)
    if token.valid_to <= call.now:
        raise errors.ExpiredImportTokenError(time=token.valid_to.isoformat())
    return token


class ImportKeyMaterialRequest(Request, frozen=True, kw_only=True):
    """Members of ImportKeyMaterial."""

    key_id: KeyId
    import_token: Annotated[
        bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="ImportToken of the parameters.")
    ]
    encrypted_key_material: Annotated[
        bytes, Meta(min_length=1, max_length=limits.CIPHERTEXT_MAX, description="The wrapped key material.")
    ]
    valid_to: Annotated[datetime, Meta(description="When the material expires, at most 365 days ahead.")] | None = None
    expiration_model: (
        Annotated[
            Literal["KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"],
            Meta(description="Whether it expires; KEY_MATERIAL_EXPIRES when absent, which needs --valid-to."),
        ]
        | None
    ) = None
    import_type: (
        Annotated[
            Literal["NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"],
            Meta(description="Whether the key never had it; new material of a key that has some waits for a rotation."),
        ]
        | None
    ) = None
    key_material_description: (
        Annotated[
            str,
            Meta(
                min_length=0,
                max_length=limits.MATERIAL_DESCRIPTION_MAX,
                extra={"pattern": r"^[a-zA-Z0-9:/_\s.-]+$"},
                description="What the material is, in your words.",
            ),
        ]
        | None
    ) = None
    key_material_id: KeyMaterialId | None = None


class ImportKeyMaterialResponse(Response, frozen=True, kw_only=True):
    """The key, and its material."""

    key_id: str
    key_material_id: str | None = None


def import_key_material(change: Change, request: ImportKeyMaterialRequest) -> ImportKeyMaterialResponse:
    """Give a key of origin EXTERNAL its material, or the same material again.

    A symmetric key can take several: a new one waits for RotateKeyOnDemand. What was imported once can be imported
    again when it expired or was deleted, and nothing else in its place.

    Raises:
        KmsError: ValidationException, NotFoundException, UnsupportedOperationException, KMSInvalidStateException,
            InvalidImportTokenException, ExpiredImportTokenException, InvalidCiphertextException,
            IncorrectKeyMaterialException.
    """
    valid_to = _valid_to(change, request)
    key = change.editable(request.key_id)
    change.require_origin(key, "EXTERNAL")
    _check_symmetric_members(key, request)
    state = change.check_state(key)
    token = _opened_token(change, key.record, request.import_token)
    material = _unwrapped(key.record, token, request.encrypted_key_material)
    identity = materials.identify(change, key.record, material.private)
    known = next((version for version in key.versions.values() if version.material_id == identity), None)
    if _is_new(key, request):
        _refuse_known(key, known)
        _put_new(change, key, material, request, valid_to)
    elif known is None or request.key_material_id not in (None, identity):
        raise errors.IncorrectKeyMaterialError(
            problem=f"this is not the key material that was imported into {key.arn} before",
            hint="only the same material can be imported again",
        )
    else:
        _put_again(change, key, known, material, request, valid_to)
    change.update(key, state=state, current=key.record.current or 1)
    return ImportKeyMaterialResponse(
        key_id=key.arn,
        key_material_id=identity if KEY_SPECS[key.record.key_spec].rotates else None,
    )


def _valid_to(change: Change, request: ImportKeyMaterialRequest) -> datetime | None:
    model = request.expiration_model or EXPIRES
    if model == DOES_NOT_EXPIRE:
        if request.valid_to is not None:
            raise errors.ValidationError(problem=f"ValidTo must be left out when ExpirationModel is {DOES_NOT_EXPIRE}")
        return None
    if request.valid_to is None:
        raise errors.ValidationError(
            problem=f"A validTo date must be set if the ExpirationModel is {EXPIRES}",
            hint=f"--valid-to TIME, or --expiration-model {DOES_NOT_EXPIRE}",
        )
    latest = change.now + timedelta(days=limits.MATERIAL_VALID_DAYS_MAX)
    if not change.now < request.valid_to <= latest:
        raise errors.ValidationError(
            problem=f"ValidTo must be a time in the next {limits.MATERIAL_VALID_DAYS_MAX} days"
        )
    return request.valid_to


def _check_symmetric_members(key: KeyGroup, request: ImportKeyMaterialRequest) -> None:
    given = request.import_type, request.key_material_description, request.key_material_id
    if not KEY_SPECS[key.record.key_spec].rotates and any(member is not None for member in given):
        raise errors.ValidationError(
            problem="ImportType, KeyMaterialDescription and KeyMaterialId are for symmetric encryption keys alone"
        )
    if _is_new(key, request) and request.key_material_id is not None:
        raise errors.ValidationError(problem=f"KeyMaterialId must be left out when ImportType is {NEW}")


def _is_new(key: KeyGroup, request: ImportKeyMaterialRequest) -> bool:
    return not key.versions if request.import_type is None else request.import_type == NEW


def _unwrapped(key: KeyRecord, token: ImportToken, wrapped: bytes) -> Pair:
    """The material in the form in which the vault keeps it.

    Raises:
        KmsError: InvalidCiphertextException, IncorrectKeyMaterialException.
    """
    material = wrap.unwrap(token.private, wrapped, WRAPPING_ALGORITHMS[token.algorithm])
    row = KEY_SPECS[key.key_spec]
    if row.asymmetric:
        return registry.read_private(key.key_spec, material)
    if len(material) != row.parameter:
        raise errors.IncorrectKeyMaterialError(
            problem=f"key material of {key.key_spec} has {row.parameter} bytes, and this has {len(material)}"
        )
    return Pair(material, b"")


def _refuse_known(key: KeyGroup, known: VersionRecord | None) -> None:
    if known is not None:
        raise errors.IncorrectKeyMaterialError(
            problem=f"this key material was imported into {key.arn} before",
            hint=f"import it again with --import-type {EXISTING}",
        )
    if key.versions and not KEY_SPECS[key.record.key_spec].rotates:
        raise errors.IncorrectKeyMaterialError(problem=f"{key.arn} can have one key material in its life")
    if max(key.versions, default=0) > key.record.current:
        raise errors.KeyStateError(
            arn=key.arn,
            state="holding key material that is pending rotation",
            hint="rotate the key first (`kms rotate-key-on-demand`), or delete that material",
        )


def _put_new(
    change: Change, key: KeyGroup, material: Pair, request: ImportKeyMaterialRequest, valid_to: datetime | None
) -> None:
    materials.put_version(
        change,
        key.record,
        change.kek(key),
        material,
        number=key.record.current + 1,
        valid_to=valid_to,
        description=request.key_material_description or "",
    )


def _put_again(
    change: Change,
    key: KeyGroup,
    known: VersionRecord,
    material: Pair,
    request: ImportKeyMaterialRequest,
    valid_to: datetime | None,
) -> None:
    description = request.key_material_description
    version = msgspec.structs.replace(
        known,
        sealed=materials.seal_version(change, key.record, change.kek(key), material.private, known.number),
        valid_to=valid_to,
        description=known.description if description is None else description,
    )
    materials.write(change, version)


class DeleteImportedKeyMaterialRequest(Request, frozen=True, kw_only=True):
    """Members of DeleteImportedKeyMaterial."""

    key_id: KeyId
    key_material_id: KeyMaterialId | None = None


class DeleteImportedKeyMaterialResponse(Response, frozen=True, kw_only=True):
    """The key, and what was deleted."""

    key_id: str
    key_material_id: str | None = None


def delete_imported_key_material(
    change: Change, request: DeleteImportedKeyMaterialRequest
) -> DeleteImportedKeyMaterialResponse:
    """Destroy imported material; the key cannot be used until the same material is imported again.

    Raises:
        KmsError: NotFoundException, UnsupportedOperationException.
    """
    key = change.editable(request.key_id)
    change.require_origin(key, "EXTERNAL")
    change.check_state(key)
    version = _named(key, request.key_material_id)
    if version is not None and version.sealed:
        due.forget(change, key, version.number)
    rotates = KEY_SPECS[key.record.key_spec].rotates
    return DeleteImportedKeyMaterialResponse(
        key_id=key.arn, key_material_id=version.material_id if version and rotates else None
    )


def _named(key: KeyGroup, material_id: str | None) -> VersionRecord | None:
    if material_id is None:
        return key.current
    found = next((version for version in key.versions.values() if version.material_id == material_id), None)
    if found is None:
        raise errors.MaterialNotFoundError(material_id=material_id, arn=key.arn)
    return found
