"""Several principals in one small vault: each with a keyfile, so no test pays for Argon2id."""

from pathlib import Path

from kmscli import errors
from kmscli.service import identitypolicies, joins, principals
from kmscli.service.context import Context
from kmscli.vault.secrets import Secret
from kmscli.vault.unlock import unlock
from tests.helpers import Home

ALL_USE = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
    '"Action":["kms:Encrypt","kms:Decrypt","kms:DescribeKey"],"Resource":"*"}]}'
)


def keyfile_of(home: Home, name: str) -> Path:
    """Where a principal's keyfile lies."""
    return home.folder.parent / f"{name}.key"


def secret_of(home: Home, name: str) -> Secret:
    """What opens a principal's slot."""
    path = keyfile_of(home, name)
    return Secret.keyfile(path.read_bytes(), path=str(path))


def made(home: Home, name: str, *, kind: principals.Kind = "user") -> principals.PrincipalResponse:
    """A principal with a keyfile of its own, made by the admin."""
    return principals.create_with_keyfile(home.context, name, kind, keyfile_of(home, name), label="first")


def asked(home: Home, name: str) -> bytes:
    """A request to join, with a keyfile."""
    vault = home.open()
    try:
        return joins.request(vault, name, keyfile_of(home, name), "first", None).content
    finally:
        vault.store.close()


def acting(home: Home, name: str) -> Context:
    """A context of a principal, over the vault opened once more."""
    return Context(unlock(home.open(), name, lambda _: secret_of(home, name)))


def admin(home: Home) -> Context:
    """A context of the admin, over the vault opened once more, where others are."""
    return Context(unlock(home.open(), "admin", lambda _: home.secret()))


def allow_use(home: Home, name: str) -> None:
    """Attach a policy that allows to use every key."""
    identitypolicies.put_policy(home.context, name, {"PolicyName": "use", "PolicyDocument": ALL_USE})


def opens(home: Home, name: str) -> bool:
    """Whether a principal's keyfile still opens a slot."""
    try:
        acting(home, name).session.vault.store.close()
    except (errors.WrongSecretError, errors.PrincipalNotFoundError):
        return False
    return True
