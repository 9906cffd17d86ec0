"""The use of keys: ciphertexts, signatures, MACs."""

from collections.abc import Mapping

from tests.reference.base import Base
from tests.reference.key import Key, Members, Refused, Sealed, pairs


class Using(Base):
    """Every operation that changes nothing but the list of ciphertexts."""

    def _check_use(self, operation: str, name: str, usage: str) -> Key:
        key = self.usable(operation, name)
        if key.usage != usage:
            raise Refused("InvalidKeyUsageException")
        return key

    def _check_generate_random(self, members: Members) -> None:
        pass

    def _check_encrypt(self, members: Members) -> None:
        self._check_use("Encrypt", members["KeyId"], "ENCRYPT_DECRYPT")

    def _check_generate_data_key(self, members: Members) -> None:
        self._check_use("GenerateDataKey", members["KeyId"], "ENCRYPT_DECRYPT")

    def _check_generate_mac(self, members: Members) -> None:
        self._check_use("GenerateMac", members["KeyId"], "GENERATE_VERIFY_MAC")

    def _check_sign(self, members: Members) -> None:
        self._check_use("Sign", members["KeyId"], "SIGN_VERIFY")

    def _check_get_public_key(self, members: Members) -> None:
        key = self.usable("GetPublicKey", members["KeyId"])
        if key.usage != "SIGN_VERIFY":
            raise Refused("UnsupportedOperationException")

    def seal(self, ciphertext: bytes, key_id: str, plaintext: bytes, context: Mapping[str, str] | None) -> None:
        """Remember a ciphertext that the current version of a key made."""
        self.sealed[ciphertext] = Sealed(key_id, self.keys[key_id].current, plaintext, pairs(context))

    def _do_encrypt(self, members: Members, answer: Members) -> None:
        key_id = self.id_of(members["KeyId"])
        self.seal(answer["CiphertextBlob"], key_id, members["Plaintext"], members.get("EncryptionContext"))

    def _do_generate_data_key(self, members: Members, answer: Members) -> None:
        key_id = self.id_of(members["KeyId"])
        self.seal(answer["CiphertextBlob"], key_id, answer["Plaintext"], members.get("EncryptionContext"))

    def _open(self, operation: str, ciphertext: bytes, named: str | None, context: Mapping[str, str] | None) -> None:
        made = self.sealed[ciphertext]
        if named is not None:
            self._check_use(operation, named, "ENCRYPT_DECRYPT")
            if self.id_of(named) != made.key_id:
                raise Refused("IncorrectKeyException")
        else:
            self.settle(made.key_id)
            if made.key_id not in self.keys:
                raise Refused("AccessDeniedException")
            self.keys[made.key_id].check_state(operation, self.now)
        if made.context != pairs(context):
            raise Refused("InvalidCiphertextException")

    def _check_decrypt(self, members: Members) -> None:
        self._open("Decrypt", members["CiphertextBlob"], members.get("KeyId"), members.get("EncryptionContext"))

    def _check_re_encrypt(self, members: Members) -> None:
        ciphertext, named = members["CiphertextBlob"], members.get("SourceKeyId")
        self._open("ReEncrypt", ciphertext, named, members.get("SourceEncryptionContext"))
        self._check_use("ReEncrypt", members["DestinationKeyId"], "ENCRYPT_DECRYPT")

    def _do_re_encrypt(self, members: Members, answer: Members) -> None:
        made = self.sealed[members["CiphertextBlob"]]
        key_id = self.id_of(members["DestinationKeyId"])
        self.seal(answer["CiphertextBlob"], key_id, made.plaintext, members.get("DestinationEncryptionContext"))
