"""What happens to keys in the course of time: rotation, imported material, tags, policies, grants, and time itself."""

from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from kmscli.model import policy
from tests.importing import OAEP, wrapped
from tests.properties.machine import Machine, forms, keys, limits
from tests.reference import Key, Material


def curve_key(number: int) -> bytes:
    key = ec.derive_private_key(number, ec.SECP256R1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


SECRETS = [b"a" * 32, b"b" * 32, b"c" * 32, curve_key(7), curve_key(8), b"short"]
"""What users bring: mostly bytes for symmetric keys."""
KINDS = {secret: {"SYMMETRIC_DEFAULT", "HMAC_256"} for secret in SECRETS[:3]}
KINDS |= {secret: {"ECC_NIST_P256"} for secret in SECRETS[3:5]}
secrets = st.sampled_from([*SECRETS, *SECRETS[:2], *SECRETS[:2]])
NEVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
soon = st.timedeltas(timedelta(milliseconds=1), timedelta(days=9))
expiries = st.sampled_from([None, None, timedelta(0), timedelta(days=366)]) | soon
kinds_of_import = st.sampled_from([None, None, "NEW_KEY_MATERIAL", "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"])
material_names = st.sampled_from([None, None, None, "first", "last", "0" * 64])

POLICIES = [policy.default("000000000000"), policy.default("000000000000").replace("Enable", "Allow"), "{}"]
policies = st.sampled_from(POLICIES)
tag_lists = st.lists(
    st.fixed_dictionaries({"TagKey": st.sampled_from(["x", "y", "z", "aws:z"]), "TagValue": st.sampled_from("01")}),
    min_size=1,
    max_size=3,
)

PRINCIPALS = [f"arn:aws:iam::000000000000:user/{name}" for name in ("alice", "bob")]
principals = st.sampled_from(PRINCIPALS)
grant_operations = st.sampled_from(
    [["Encrypt"], ["Encrypt", "Decrypt"], ["DescribeKey"], ["Sign"], ["GenerateMac", "GenerateMac"], []]
)
constraints = st.sampled_from([None, None, {"EncryptionContextSubset": {"a": "1"}}, {"EncryptionContextEquals": {}}])
TICK = timedelta(milliseconds=1)
EARLY = [timedelta(0), timedelta(0), TICK, timedelta(minutes=20), timedelta(minutes=20, milliseconds=1)]
AT_A_ROTATION = ["Encrypt", "RotateKeyOnDemand", "DescribeKey", "DisableKey"]
ENDINGS = ["", "DescribeKey", "CancelKeyDeletion", "CancelKeyDeletion", "CreateAlias", "ListGrants"]
"""What is done at the end of a key."""
USES: dict[str, tuple[str, dict[str, Any]]] = {
    "Sign": ("SIGN_VERIFY", {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}),
    "GenerateMac": ("GENERATE_VERIFY_MAC", {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}),
    "GetPublicKey": ("SIGN_VERIFY", {}),
}


def rotates(key: Key) -> bool:
    return key.spec == "SYMMETRIC_DEFAULT"


class Lifetimes(Machine):
    """The rules."""

    def __init__(self) -> None:
        super().__init__()
        self.model.kinds = KINDS
        self.parameters: list[tuple[str, bytes, bytes]] = []

    # -- rotation ------------------------------------------------------------------------------------------------------

    @rule(key=keys, form=forms)
    def rotate(self, key: int, form: int) -> None:
        self.run("RotateKeyOnDemand", KeyId=self.named(self.fitting(key, rotates), form))

    @rule(key=keys, form=forms, days=st.none() | st.integers(90, 100), on=st.booleans())
    def rotate_by_itself(self, key: int, form: int, days: int | None, *, on: bool) -> None:
        name = self.named(self.fitting(key, rotates), form)
        if on:
            self.run("EnableKeyRotation", KeyId=name, RotationPeriodInDays=days)
        else:
            self.run("DisableKeyRotation", KeyId=name)

    @rule(key=keys, early=st.sampled_from(EARLY), then=st.sampled_from(AT_A_ROTATION))
    def a_rotation_comes(self, key: int, early: timedelta, then: str) -> None:
        key_id = self.fitting(key, rotates)
        self.run("EnableKeyRotation", KeyId=key_id, RotationPeriodInDays=90)
        found = self.model.keys.get(key_id)
        self.jump([found.next_rotation - early] if found and found.next_rotation else [], 0)
        self.run(then, KeyId=key_id, **({"Plaintext": b"x"} if then == "Encrypt" else {}))
        self.run("GetKeyRotationStatus", KeyId=key_id)

    @rule(key=keys, form=forms)
    def rotation_status(self, key: int, form: int) -> None:
        answer = self.run("GetKeyRotationStatus", KeyId=self.name_of(key, form))
        if answer is not None:
            found = self.model.keys[self.key_of(key)]
            enabled = found.period is not None and found.stored != "PendingDeletion"
            times = answer.get("RotationPeriodInDays"), answer.get("NextRotationDate")
            assert answer["KeyRotationEnabled"] is enabled
            assert times == ((found.period, found.next_rotation) if enabled else (None, None))

    @rule(limit=limits, key=keys, which=st.sampled_from([None, "ROTATIONS_ONLY", "ALL_KEY_MATERIAL"]))
    def list_rotations(self, limit: int, key: int, which: str | None) -> None:
        key_id = self.key_of(key)
        found = self.pages("ListKeyRotations", "Rotations", Limit=limit, KeyId=key_id, IncludeKeyMaterial=which)
        if found is not None:
            owner = self.model.keys[key_id]
            shown = [each for each in owner.materials if each.rotation or which == "ALL_KEY_MATERIAL"]
            assert found == [self.entry(key_id, owner, each) for each in shown]

    def entry(self, key_id: str, key: Key, material: Material) -> dict[str, Any]:
        """What ListKeyRotations tells of one material."""
        number = [each is material for each in key.materials].index(True) + 1
        state = "PENDING_ROTATION" if number > key.current else "CURRENT" if number == key.current else "NON_CURRENT"
        entry: dict[str, Any] = {
            "KeyId": f"arn:aws:kms:local:000000000000:key/{key_id}",
            "KeyMaterialId": material.id,
            "KeyMaterialState": state,
            "KeyMaterialDescription": material.description or None,
            "RotationDate": material.rotated,
            "RotationType": material.rotation,
        }
        if key.origin == "EXTERNAL":
            entry["ImportState"] = "IMPORTED" if material.present else "PENDING_IMPORT"
            if material.present:
                expires = "EXPIRES" if material.valid_to else "DOES_NOT_EXPIRE"
                entry |= {"ExpirationModel": f"KEY_MATERIAL_{expires}", "ValidTo": material.valid_to}
        return {name: value for name, value in entry.items() if value is not None}

    # -- imported material ---------------------------------------------------------------------------------------------

    @rule(origin_spec=st.sampled_from(["SYMMETRIC_DEFAULT", "SYMMETRIC_DEFAULT", "HMAC_256", "ECC_NIST_P256"]))
    def create_key_without_material(self, origin_spec: str) -> None:
        self.run("CreateKey", Origin="EXTERNAL", **self.kind(origin_spec))

    @staticmethod
    def kind(spec: str) -> dict[str, str]:
        usage = {"HMAC_256": "GENERATE_VERIFY_MAC", "ECC_NIST_P256": "SIGN_VERIFY"}.get(spec, "ENCRYPT_DECRYPT")
        return {"KeySpec": spec, "KeyUsage": usage}

    def external_of(self, number: int) -> str:
        return self.fitting(number, lambda key: key.origin == "EXTERNAL")

    def get_parameters(self, key_id: str) -> bool:
        members = {"KeyId": key_id, "WrappingAlgorithm": OAEP, "WrappingKeySpec": "RSA_2048"}
        answer = self.run("GetParametersForImport", **members)
        if answer is not None:
            assert answer["ParametersValidTo"] == self.now() + timedelta(days=1)
            self.parameters.append((key_id, answer["ImportToken"], answer["PublicKey"]))
        return answer is not None

    @rule(key=keys)
    def ask_for_parameters(self, key: int) -> None:
        self.get_parameters(self.external_of(key))

    @rule(key=keys, secret=secrets, kind=kinds_of_import, name=material_names, valid=expiries)
    def bring_material(
        self, key: int, secret: bytes, kind: str | None, name: str | None, valid: timedelta | None
    ) -> None:
        """As users do: parameters first, and then the material under them."""
        key_id = self.external_of(key)
        if self.get_parameters(key_id):
            self.bring_in(key_id, self.parameters[-1], secret, valid, ImportType=kind, KeyMaterialId=name)

    @rule(key=keys, token=st.integers(0, 100), secret=secrets, description=st.sampled_from([None, "one", "two"]))
    @precondition(lambda self: self.parameters)
    def bring_material_by_an_old_token(self, key: int, token: int, secret: bytes, description: str | None) -> None:
        """Perhaps one of another key, perhaps one whose day is over."""
        chosen = self.parameters[token % len(self.parameters)]
        key_id = chosen[0] if key < 9 else self.external_of(key)
        self.bring_in(key_id, chosen, secret, None, KeyMaterialDescription=description)

    def bring_in(
        self, key_id: str, token: tuple[str, bytes, bytes], secret: bytes, valid: timedelta | None, **members: Any
    ) -> None:
        found = self.model.keys.get(key_id)
        ids = [material.id for material in found.materials] if found else []
        if members.get("KeyMaterialId") in ("first", "last"):
            members["KeyMaterialId"] = (ids or ["0" * 64])[0 if members["KeyMaterialId"] == "first" else -1]
        expiry: dict[str, Any] = NEVER if valid is None else {"ValidTo": self.milliseconds(self.now() + valid)}
        encrypted = wrapped(token[2], secret, OAEP)
        self.model.wrapped[encrypted] = secret
        self.run(
            "ImportKeyMaterial",
            KeyId=key_id,
            ImportToken=token[1],
            EncryptedKeyMaterial=encrypted,
            **expiry,
            **members,
        )

    @staticmethod
    def milliseconds(time: datetime) -> datetime:
        return time.replace(microsecond=time.microsecond // 1000 * 1000)

    @rule(key=keys, which=st.integers(0, 4))
    def delete_material(self, key: int, which: int) -> None:
        key_id = self.external_of(key)
        found = self.model.keys.get(key_id)
        ids = [material.id for material in found.materials] if found else []
        name = ids[which] if which < len(ids) else "0" * 64 if which == 3 else None
        self.run("DeleteImportedKeyMaterial", KeyId=key_id, KeyMaterialId=name)

    # -- other kinds of keys -------------------------------------------------------------------------------------------

    @rule(spec=st.sampled_from(["HMAC_256", "ECC_NIST_P256"]))
    def create_key_of_another_kind(self, spec: str) -> None:
        self.run("CreateKey", **self.kind(spec))

    @rule(key=keys, form=forms, operation=st.sampled_from(list(USES)), dry=st.booleans())
    def use_a_key_of_another_kind(self, key: int, form: int, operation: str, *, dry: bool) -> None:
        usage, members = USES[operation]
        name = self.named(self.fitting(key, lambda each: each.usage == usage), form)
        self.run(operation, KeyId=name, **members, **({} if operation == "GetPublicKey" else {"DryRun": dry}))

    # -- tags and policies ---------------------------------------------------------------------------------------------

    @rule(key=keys, form=forms, tags=tag_lists, on=st.booleans())
    def tag(self, key: int, form: int, tags: list[dict[str, str]], *, on: bool) -> None:
        name = self.name_of(key, form)
        if on:
            self.run("TagResource", KeyId=name, Tags=tags)
        else:
            self.run("UntagResource", KeyId=name, TagKeys=[tag["TagKey"] for tag in tags])

    @rule(key=keys, limit=limits)
    def list_tags(self, key: int, limit: int) -> None:
        key_id = self.key_of(key)
        found = self.pages("ListResourceTags", "Tags", KeyId=key_id, Limit=limit)
        if found is not None:
            assert {tag["TagKey"]: tag["TagValue"] for tag in found} == self.model.keys[key_id].tags

    @rule(key=keys, form=forms, document=st.none() | policies)
    def put_and_get_policy(self, key: int, form: int, document: str | None) -> None:
        if document is not None:
            self.run("PutKeyPolicy", KeyId=self.name_of(key, form), Policy=document)
        answer = self.run("GetKeyPolicy", KeyId=self.name_of(key, form))
        if answer is not None:
            assert answer["Policy"] == (self.model.keys[self.key_of(key)].policy or POLICIES[0])

    # -- grants --------------------------------------------------------------------------------------------------------

    @rule(
        key=keys,
        grantee=principals,
        operations=grant_operations,
        retiring=st.none() | principals,
        name=st.sampled_from([None, "one", "two"]),
        constraint=constraints,
        dry=st.sampled_from([None, None, True]),
    )
    def create_grant(self, key: int, grantee: str, operations: list[str], **given: Any) -> None:
        self.run(
            "CreateGrant",
            KeyId=self.key_of(key),
            GranteePrincipal=grantee,
            Operations=operations,
            RetiringPrincipal=given["retiring"],
            Name=given["name"],
            Constraints=given["constraint"],
            DryRun=given["dry"],
        )

    @rule(key=keys, limit=limits, grantee=st.none() | principals)
    def list_grants(self, key: int, limit: int, grantee: str | None) -> None:
        key_id = self.key_of(key)
        found = self.pages("ListGrants", "Grants", KeyId=key_id, Limit=limit, GranteePrincipal=grantee)
        if found is not None:
            grants = self.model.keys[key_id].grants
            wanted = [grant_id for grant_id, each in grants.items() if grantee in (None, each.grantee)]
            assert [grant["GrantId"] for grant in found] == sorted(wanted)
            for grant in found:
                known = grants[grant["GrantId"]]
                assert (grant["GranteePrincipal"], tuple(grant["Operations"])) == (known.grantee, known.operations)
                assert (grant.get("RetiringPrincipal"), grant.get("Name")) == (known.retiring, known.name)

    @rule(limit=limits, retiring=principals)
    def list_retirable_grants(self, limit: int, retiring: str) -> None:
        found = self.pages("ListRetirableGrants", "Grants", RetiringPrincipal=retiring, Limit=limit)
        assert found is not None
        assert sorted(grant["GrantId"] for grant in found) == sorted(
            grant_id
            for key_id in self.model.keys
            for grant_id, grant in self.model.keys[key_id].grants.items()
            if grant.retiring == retiring
        )

    @rule(which=st.integers(0, 100), dry=st.sampled_from([None, None, True]))
    @precondition(lambda self: self.model.grant_tokens)
    def retire_a_grant(self, which: int, *, dry: bool | None) -> None:
        """By its token, also one whose grant or key is gone."""
        tokens = list(self.model.grant_tokens)
        self.run("RetireGrant", GrantToken=tokens[which % len(tokens)], DryRun=dry)

    @rule(operation=st.sampled_from(["RetireGrant", "RevokeGrant"]), which=st.integers(0, 100), key=keys)
    @precondition(lambda self: self.model.grant_tokens)
    def end_a_grant(self, operation: str, which: int, key: int) -> None:
        """By its id, now and then with a key that is not its own."""
        key_id, grant_id = list(self.model.grant_tokens.values())[which % len(self.model.grant_tokens)]
        self.run(operation, KeyId=key_id if key < 9 else self.key_of(key), GrantId=grant_id)

    # -- time ----------------------------------------------------------------------------------------------------------

    @rule(seconds=st.integers(0, 100_000) | st.integers(0, 30 * 24 * 3600))
    def time_passes(self, seconds: int) -> None:
        self.clock.move(seconds=seconds)

    @rule(which=st.integers(0, 100), early=st.sampled_from([timedelta(0), TICK, timedelta(minutes=20), timedelta(1)]))
    def time_jumps(self, which: int, early: timedelta) -> None:
        """To one of the times at which something happens by itself, or shortly before."""
        times = [time for key in self.model.keys.values() for time in key.times()]
        times += [end for _, end in self.model.tokens.values()]
        self.jump([time - early for time in times], which)

    def jump(self, times: list[datetime], which: int) -> None:
        ahead = sorted(time for time in times if time > self.clock())
        if ahead:
            self.clock.now = ahead[which % len(ahead)]

    @rule(key=keys, early=st.sampled_from([timedelta(0), TICK]), then=st.sampled_from(ENDINGS))
    def a_key_ends(self, key: int, early: timedelta, then: str) -> None:
        """Or is kept just in time."""
        key_id = self.key_of(key)
        self.run("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
        found = self.model.keys.get(key_id)
        self.jump([found.deletion - early] if found and found.deletion else [], 0)
        if then == "CreateAlias":
            name = min(found.aliases, default="alias/a") if found else "alias/a"
            self.run(then, AliasName=name, TargetKeyId=self.key_of(key + 1))
        elif then:
            self.run(then, KeyId=key_id)

    @rule(key=keys, calls=st.integers(1, 150), which=st.integers(0, 5), end=st.booleans())
    def crash_at_a_turn(self, key: int, calls: int, which: int, *, end: bool) -> None:
        """A process is killed while it writes down what time has brought, or the operation after that."""
        key_id = self.key_of(key)
        if end:
            self.run("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
        if key_id in self.model.keys:
            self.jump(self.model.keys[key_id].times(), which)
        self.kill("DescribeKey", {"KeyId": key_id}, calls)

    @rule(seconds=st.integers(1, 290), key=keys, which=st.integers(0, 5), end=st.booleans())
    def the_clock_slips(self, seconds: int, key: int, which: int, *, end: bool) -> None:
        """A clock a little behind the log is borne: the log's time stands still then, and so does ours."""
        key_id = self.key_of(key)
        if end:
            self.run("ScheduleKeyDeletion", KeyId=key_id, PendingWindowInDays=7)
        if key_id in self.model.keys:
            self.jump(self.model.keys[key_id].times(), which)
        # A line tells its time in whole seconds, so it tells of a time within one only when that second is over.
        self.clock.move(seconds=1)
        self.run("GenerateRandom", NumberOfBytes=1)
        kept = self.clock.now
        self.clock.move(seconds=-seconds)
        self.run("DescribeKey", KeyId=key_id)
        self.clock.now = kept
