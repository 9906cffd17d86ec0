"""Grants."""

import json

from tests.reference.base import Base
from tests.reference.key import SYMMETRIC, Grant, Key, Members, Refused

FITTING = {
    "ENCRYPT_DECRYPT": {"Decrypt", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"},
    "SIGN_VERIFY": {"GetPublicKey", "Sign", "Verify"},
    "GENERATE_VERIFY_MAC": {"GenerateMac", "VerifyMac"},
}
"""KeyUsage -> what a grant on such a key may name, beside what any may: as far as tests name it."""
FITTING_ALL = {"CreateGrant", "DescribeKey", "RetireGrant"}


class Granting(Base):
    """Grants.

    Attributes:
        grant_tokens: Each GrantToken -> the key and the grant.
    """

    def __init__(self) -> None:
        super().__init__()
        self.grant_tokens: dict[str, tuple[str, str]] = {}

    def _check_create_grant(self, members: Members) -> None:
        key = self.editable(members["KeyId"])
        key.check_state("CreateGrant", self.now)
        operations = members["Operations"]
        if not operations or not set(operations) <= FITTING[key.usage] | FITTING_ALL:
            raise Refused("ValidationException")
        if members.get("Constraints") and key.spec != SYMMETRIC:
            raise Refused("ValidationException")

    @staticmethod
    def _grant(members: Members) -> Grant:
        return Grant(
            members["GranteePrincipal"],
            tuple(dict.fromkeys(members["Operations"])),
            members.get("RetiringPrincipal"),
            members.get("Name"),
            json.dumps(members.get("Constraints") or {}, sort_keys=True),
        )

    def _do_create_grant(self, members: Members, answer: Members) -> None:
        key, wanted = self.find(members["KeyId"]), self._grant(members)
        grant_id = answer["GrantId"]
        same = [known for known, grant in key.grants.items() if grant.name is not None and grant == wanted]
        if same:
            assert same == [grant_id]
        elif grant_id in key.grants:
            raise AssertionError("a grant id was given twice")
        key.grants[grant_id] = wanted
        self.grant_tokens[answer["GrantToken"]] = self.id_of(members["KeyId"]), grant_id

    def _check_list_retirable_grants(self, members: Members) -> None:
        pass

    def _ended(self, members: Members) -> tuple[Key, str]:
        token = members.get("GrantToken")
        if token is None:
            return self.editable(members["KeyId"]), members["GrantId"]
        key_id, grant_id = self.grant_tokens[token]
        if key_id in self.keys and grant_id in self.keys[key_id].grants:
            self.settle(key_id)
        if key_id not in self.keys or grant_id not in self.keys[key_id].grants:
            raise Refused("InvalidGrantTokenException")
        return self.editable(key_id), grant_id

    def _check_end(self, members: Members) -> None:
        key, grant_id = self._ended(members)
        if grant_id not in key.grants:
            raise Refused("NotFoundException")

    def _check_retire_grant(self, members: Members) -> None:
        self._check_end(members)

    def _check_revoke_grant(self, members: Members) -> None:
        self._check_end(members)

    def _do_end(self, members: Members) -> None:
        key, grant_id = self._ended(members)
        del key.grants[grant_id]

    def _do_retire_grant(self, members: Members, _answer: Members) -> None:
        self._do_end(members)

    def _do_revoke_grant(self, members: Members, _answer: Members) -> None:
        self._do_end(members)
