"""The material of keys: rotated, and brought by its owner."""

from datetime import datetime, timedelta

from tests.reference.base import Base
from tests.reference.key import SYMMETRIC, Key, Material, Members, Refused

DAYS_OF_MATERIAL = 365
HOURS_OF_A_TOKEN = 24
MINUTES_OF_CONFLICT = 20


class Bringing(Base):
    """Rotation and import.

    Attributes:
        tokens: ImportToken -> the key and the time of its end.
        wrapped: EncryptedKeyMaterial -> the material; the test says what it wrapped.
        kinds: Material -> the KeySpecs that take it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[bytes, tuple[str, datetime]] = {}
        self.wrapped: dict[bytes, bytes] = {}
        self.kinds: dict[bytes, set[str]] = {}

    # -- rotation ------------------------------------------------------------------------------------------------------

    @staticmethod
    def _check_rotates(key: Key) -> None:
        if key.spec != SYMMETRIC:
            raise Refused("UnsupportedOperationException")

    @staticmethod
    def _check_origin(key: Key, origin: str) -> None:
        if key.origin != origin:
            raise Refused("UnsupportedOperationException")

    def _check_rotate_key_on_demand(self, members: Members) -> None:
        key = self.editable(members["KeyId"])
        self._check_rotates(key)
        key.check_state("RotateKeyOnDemand", self.now)
        if key.next_rotation is not None and key.next_rotation - self.now <= timedelta(minutes=MINUTES_OF_CONFLICT):
            raise Refused("ConflictException")
        if key.origin == "EXTERNAL" and len(key.materials) == key.current:
            raise Refused("KMSInvalidStateException")

    def _do_rotate_key_on_demand(self, members: Members, _answer: Members) -> None:
        key = self.find(members["KeyId"])
        if key.origin == "AWS_KMS":
            # The id of the new material is in no answer.
            key.materials.append(Material())
        key.current += 1
        key.materials[-1].rotation, key.materials[-1].rotated = "ON_DEMAND", self.now

    def _check_automatic(self, operation: str, members: Members) -> None:
        key = self.editable(members["KeyId"])
        self._check_rotates(key)
        self._check_origin(key, "AWS_KMS")
        key.check_state(operation, self.now)

    def _check_enable_key_rotation(self, members: Members) -> None:
        self._check_automatic("EnableKeyRotation", members)

    def _check_disable_key_rotation(self, members: Members) -> None:
        self._check_automatic("DisableKeyRotation", members)

    def _do_enable_key_rotation(self, members: Members, _answer: Members) -> None:
        key = self.find(members["KeyId"])
        days = members.get("RotationPeriodInDays") or 365
        if key.period != days:
            key.period, key.next_rotation = days, self.now + timedelta(days=days)

    def _do_disable_key_rotation(self, members: Members, _answer: Members) -> None:
        key = self.find(members["KeyId"])
        key.period, key.next_rotation = None, None

    def _check_get_key_rotation_status(self, members: Members) -> None:
        self._check_rotates(self.find(members["KeyId"]))

    def _check_list_key_rotations(self, members: Members) -> None:
        self._check_rotates(self.find(members["KeyId"]))

    # -- import --------------------------------------------------------------------------------------------------------

    def _check_get_parameters_for_import(self, members: Members) -> None:
        key = self.find(members["KeyId"])
        self._check_origin(key, "EXTERNAL")
        key.check_state("GetParametersForImport", self.now)

    def _do_get_parameters_for_import(self, members: Members, answer: Members) -> None:
        end = self.now + timedelta(hours=HOURS_OF_A_TOKEN)
        self.tokens[answer["ImportToken"]] = self.id_of(members["KeyId"]), end

    def _check_import_key_material(self, members: Members) -> None:
        self._check_valid_to(members)
        key = self.editable(members["KeyId"])
        self._check_origin(key, "EXTERNAL")
        self._check_kind_of_import(key, members)
        key.check_state("ImportKeyMaterial", self.now)
        key_id, end = self.tokens[members["ImportToken"]]
        if key is not self.keys.get(key_id):
            raise Refused("InvalidImportTokenException")
        if end <= self.now:
            raise Refused("ExpiredImportTokenException")
        self._check_material(key, self.wrapped[members["EncryptedKeyMaterial"]], members)

    def _check_valid_to(self, members: Members) -> None:
        expires = members.get("ExpirationModel") != "KEY_MATERIAL_DOES_NOT_EXPIRE"
        valid_to = members.get("ValidTo")
        if expires != (valid_to is not None):
            raise Refused("ValidationException")
        if valid_to is not None and not self.now < valid_to <= self.now + timedelta(days=DAYS_OF_MATERIAL):
            raise Refused("ValidationException")

    @staticmethod
    def _is_new(key: Key, members: Members) -> bool:
        kind = members.get("ImportType")
        return not key.materials if kind is None else kind == "NEW_KEY_MATERIAL"

    def _check_kind_of_import(self, key: Key, members: Members) -> None:
        for_symmetric = ("ImportType", "KeyMaterialDescription", "KeyMaterialId")
        if key.spec != SYMMETRIC and any(members.get(name) is not None for name in for_symmetric):
            raise Refused("ValidationException")
        if self._is_new(key, members) and members.get("KeyMaterialId") is not None:
            raise Refused("ValidationException")

    def _check_material(self, key: Key, secret: bytes, members: Members) -> None:
        known = self._known(key, secret)
        if key.spec not in self.kinds.get(secret, set()):
            raise Refused("IncorrectKeyMaterialException")
        if self._is_new(key, members):
            if known is not None or (key.materials and key.spec != SYMMETRIC):
                raise Refused("IncorrectKeyMaterialException")
            if len(key.materials) > key.current:
                raise Refused("KMSInvalidStateException")
        elif known is None or members.get("KeyMaterialId") not in (None, known.id):
            raise Refused("IncorrectKeyMaterialException")

    @staticmethod
    def _known(key: Key, secret: bytes) -> Material | None:
        return next((material for material in key.materials if material.secret == secret), None)

    def _do_import_key_material(self, members: Members, answer: Members) -> None:
        key = self.find(members["KeyId"])
        if key.state(self.now) == "PendingImport":
            key.stored = "Enabled"
        secret = self.wrapped[members["EncryptedKeyMaterial"]]
        material = self._known(key, secret)
        if material is None:
            material = Material(secret=secret)
            key.materials.append(material)
        material.id = answer.get("KeyMaterialId") or material.id
        material.present, material.valid_to = True, members.get("ValidTo")
        if members.get("KeyMaterialDescription") is not None:
            material.description = members["KeyMaterialDescription"]
        key.current = key.current or 1

    def _named(self, members: Members) -> Material | None:
        key = self.find(members["KeyId"])
        if members.get("KeyMaterialId") is None:
            return key.used[-1] if key.used else None
        found = [material for material in key.materials if material.id == members["KeyMaterialId"]]
        if not found:
            raise Refused("NotFoundException")
        return found[0]

    def _check_delete_imported_key_material(self, members: Members) -> None:
        self._check_origin(self.editable(members["KeyId"]), "EXTERNAL")
        self._named(members)

    def _do_delete_imported_key_material(self, members: Members, _answer: Members) -> None:
        material = self._named(members)
        if material is not None:
            self.forget(self.find(members["KeyId"]), material)
