"""Who may enter: from a signed request to its caller, in one state of the vault.

Nothing that a request says is believed before its signature holds. Who enters is a principal of the vault, enabled, by
an access key that is active in the very state in which the request is decided.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

import msgspec

from kmscli import errors
from kmscli.awsapi import sigv4
from kmscli.awsapi.allowance import Allowance
from kmscli.awsapi.http import Incoming
from kmscli.awsapi.sigv4 import Claim
from kmscli.service.callers import LOCAL, Caller, Origin
from kmscli.vault import accesskeys
from kmscli.vault.accesskeys import AccessKey
from kmscli.vault.records import Records
from kmscli.vault.session import Session

AGENT_MAX = 1024
_KEYS_MAX = 4096
_UNKNOWN_AGENT = "unknown"


class Entry(msgspec.Struct, frozen=True):
    """A request whose signature has the right form; nothing of it is proved.

    Attributes:
        claim: What it claims.
        digest: SHA-256 of its body, in hex.
        origin: Where it comes from.
    """

    claim: Claim
    digest: str
    origin: Origin


def read(incoming: Incoming, *, region: str, peer: str, request_id: str) -> Entry:
    """Check the form of a signature.

    Args:
        incoming: The request.
        region: Of the vault.
        peer: The address of the client, "" where it has none.
        request_id: The id that its answer has.

    Raises:
        KmsError: As `sigv4.parse`; RequestSignatureError for a request with several hosts.
    """
    path, _, query = incoming.url.decode("utf-8", "surrogateescape").partition("?")
    headers, fields = incoming.headers, incoming.fields
    if b"host" not in fields or (len(fields) != len(headers) and sum(name == b"host" for name, _ in headers) != 1):
        raise errors.RequestSignatureError
    claim = sigv4.parse(sigv4.Request(incoming.method, path or "/", query, headers), region=region)
    origin = Origin(peer or LOCAL, _agent(fields.get(b"user-agent", b"")), claim.access_key_id, request_id)
    return Entry(claim, sha256(incoming.body).hexdigest(), origin)


@lru_cache(maxsize=256)
def _agent(value: bytes) -> str:
    return value.decode("utf-8", "replace")[:AGENT_MAX] or _UNKNOWN_AGENT


class Gate:
    """Lets callers in, one session's worth of them."""

    def __init__(self, session: Session, seconds: Callable[[], float], allowance: Allowance) -> None:
        """Use the secrets that a root's session opens.

        Args:
            session: A root's.
            seconds: Gives the time, in seconds since 1970.
            allowance: How much each principal may ask for.
        """
        self._session = session
        self._seconds = seconds
        self._allowance = allowance
        self._keys: dict[tuple[str, str, str], bytes] = {}
        # The access keys that were found good in one state of the vault, which is the last that was asked about.
        self._state: Records | None = None
        self._good: dict[str, AccessKey] = {}

    def admit(self, records: Records, entry: Entry, *, first: bool = True) -> Caller:
        """The caller of a request.

        Args:
            records: The state in which it is decided.
            entry: The request.
            first: Whether it counts as a request; one that is decided again does not.

        Raises:
            UnrecognizedClientError: No such access key, or none that is good.
            RequestSignatureError: The signature is not its holder's, or of another time.
            ThrottlingError: The principal has asked for too much.
        """
        claim = entry.claim
        found = self._find(records, claim.access_key_id)
        claim.verify(self._signing_key(found.secret.value, claim), entry.digest, self._seconds())
        record = found.principal.record
        if first:
            self._allowance.take(record.name)
        return Caller(record.name, record.kind == "role", entry.origin)

    def _find(self, records: Records, access_key_id: str) -> AccessKey:
        if records is not self._state:
            self._state, self._good = records, {}
        found = self._good.get(access_key_id)
        if found is None:
            found = accesskeys.find(self._session, records, access_key_id)
            if found is None:
                raise errors.UnrecognizedClientError
            self._good[access_key_id] = found
        return found

    def _signing_key(self, secret: str, claim: Claim) -> bytes:
        # By the secret itself, so that a key that is made anew under an old id is another one.
        place = (secret, claim.date, claim.region)
        if place not in self._keys:
            if len(self._keys) >= _KEYS_MAX:
                self._keys.clear()
            self._keys[place] = sigv4.signing_key(*place)
        return self._keys[place]

    def __repr__(self) -> str:
        return f"<Gate {len(self._keys)}>"
