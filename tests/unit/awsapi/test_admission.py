"""Who may enter: the form of a signature, its access key in one state of the vault, and the allowance."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from kmscli import errors
from kmscli.awsapi import admission
from kmscli.awsapi.admission import Entry, Gate
from kmscli.awsapi.allowance import Allowance
from kmscli.awsapi.http import Incoming, first_values
from kmscli.service import accesskeys
from kmscli.service.callers import Caller
from tests import signing
from tests.helpers import Clock, Home
from tests.principals import People


def incoming(
    key: tuple[str, str],
    *,
    body: bytes = signing.BODY,
    region: str = "local",
    more: object = (),
    agent: bytes | None = b"aws-cli/2",
) -> Incoming:
    made = Incoming()
    headers = [*signing.HEADERS, *more]  # type: ignore[misc]
    request = signing.signed(headers=headers, body=body, region=region, key=key)
    made.method, made.url, made.body = request.method, request.path.encode(), body
    made.headers = [*request.headers, *([(b"user-agent", agent)] if agent is not None else [])]
    made.fields = first_values(made.headers)
    return made


def read(request: Incoming, *, peer: str = "203.0.113.7") -> Entry:
    return admission.read(request, region="local", peer=peer, request_id="r")


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


@pytest.fixture
def people(home: Home) -> Iterator[People]:
    found = People(home).add("alice").add("ci", kind="role")
    yield found
    found.close()


def new_key(home: Home, name: str) -> tuple[str, str]:
    made = accesskeys.create_access_key(home.context, name).access_key
    return made.access_key_id, made.secret_access_key


def gate(home: Home, *, rate: float | None = None, seconds: float = 0.0) -> Gate:
    """The gate of a root's session; the clock of its allowance stands."""
    return Gate(home.context.session, lambda: home.clock().timestamp() + seconds, Allowance(rate, lambda: 0.0))


def admitted(home: Home, at: Gate, entry: Entry) -> Caller:
    with home.context.session.read() as records:
        return at.admit(records, entry)


# -- the form ----------------------------------------------------------------------------------------------------------


def test_what_a_request_says_of_itself_is_kept_for_its_line() -> None:
    entry = read(incoming(("AKIA", "x")))
    assert (entry.origin.source, entry.origin.agent) == ("203.0.113.7", "aws-cli/2")
    assert (entry.origin.access_key_id, entry.origin.request_id) == ("AKIA", "r")
    assert entry.claim.access_key_id == "AKIA"


def test_a_socket_without_addresses_is_local() -> None:
    assert read(incoming(("AKIA", "x")), peer="").origin.facts == {}
    assert read(incoming(("AKIA", "x"))).origin.facts == {"aws:SourceIp": "203.0.113.7"}


def test_the_name_of_a_program_is_cut_and_may_be_absent() -> None:
    long, none = incoming(("AKIA", "x"), agent=b"a" * 5000), incoming(("AKIA", "x"), agent=None)
    assert len(read(long).origin.agent) == admission.AGENT_MAX
    assert read(none).origin.agent == "unknown"


def test_a_request_has_one_host() -> None:
    for count in (0, 2):
        request = incoming(("AKIA", "x"))
        rest = [pair for pair in request.headers if pair[0] != b"host"]
        request.headers = [*rest, *[(b"host", signing.HOST.encode())] * count]
        with pytest.raises(errors.RequestSignatureError):
            read(request)


def test_another_region_is_refused() -> None:
    with pytest.raises(errors.SignatureScopeError):
        read(incoming(("AKIA", "x"), region="us-east-1"))


# -- the gate ----------------------------------------------------------------------------------------------------------


def test_the_caller_is_the_principal_of_the_access_key(home: Home, people: People) -> None:
    for name, role in (("admin", False), ("alice", False), ("ci", True)):
        caller = admitted(home, gate(home), read(incoming(new_key(home, name))))
        assert (caller.name, caller.role, caller.origin.source) == (name, role, "203.0.113.7")


def test_an_access_key_that_nobody_has_is_not_recognized(home: Home) -> None:
    with pytest.raises(errors.UnrecognizedClientError):
        admitted(home, gate(home), read(incoming(("AKIAIOSFODNN7EXAMPLE", "x"))))


def test_a_wrong_secret_or_another_body_does_not_fit(home: Home) -> None:
    key_id, secret = new_key(home, "admin")
    with pytest.raises(errors.RequestSignatureError):
        admitted(home, gate(home), read(incoming((key_id, secret[::-1]))))
    changed = incoming((key_id, secret))
    changed.body += b" "
    with pytest.raises(errors.RequestSignatureError):
        admitted(home, gate(home), read(changed))


@pytest.mark.parametrize(
    ("seconds", "error"), [(310, errors.SignatureExpiredError), (-310, errors.SignatureNotYetCurrentError)]
)
def test_a_signature_of_another_time_is_refused(home: Home, seconds: float, error: type[errors.KmsError]) -> None:
    with pytest.raises(error):
        admitted(home, gate(home, seconds=seconds), read(incoming(new_key(home, "admin"))))


def test_the_same_gate_refuses_what_was_deleted_or_disabled_meanwhile(home: Home, people: People) -> None:
    at, deleted, disabled = gate(home), new_key(home, "admin"), new_key(home, "alice")
    for key in (deleted, disabled):
        admitted(home, at, read(incoming(key)))
    accesskeys.delete_access_key(home.context, deleted[0])
    people.set_state("alice", "disabled")
    for key in (deleted, disabled):
        with pytest.raises(errors.KmsError) as caught:
            admitted(home, at, read(incoming(key)))
        assert caught.value.code in ("UnrecognizedClientException", "AccessDeniedException")


def test_a_gate_shows_no_secret(home: Home) -> None:
    at, key = gate(home), new_key(home, "admin")
    admitted(home, at, read(incoming(key)))
    assert repr(at) == "<Gate 1>"


# -- the allowance -----------------------------------------------------------------------------------------------------


def test_who_has_not_the_secret_takes_from_nobodys_allowance(home: Home) -> None:
    at, (key_id, secret) = gate(home, rate=1.0), new_key(home, "admin")
    for _ in range(3):
        with pytest.raises(errors.RequestSignatureError):
            admitted(home, at, read(incoming((key_id, "x" * 40))))
    admitted(home, at, read(incoming((key_id, secret))))
    with pytest.raises(errors.ThrottlingError):
        admitted(home, at, read(incoming((key_id, secret))))


def test_a_request_that_is_decided_again_counts_once(home: Home) -> None:
    at, entry = gate(home, rate=1.0), read(incoming(new_key(home, "admin")))
    with home.context.session.read() as records:
        at.admit(records, entry)
        at.admit(records, entry, first=False)
