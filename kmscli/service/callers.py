"""Who asks: the principal whose session it is, or one who calls through the endpoint with an access key.

A session is what reads, unseals and signs; the caller is who the policies are asked about and whom the audit line
names. On the command line they are the same. Behind the endpoint the session is a root's, and policy alone stands
between the caller and the keys.
"""

import msgspec

from kmscli import __version__
from kmscli.service.facts import Facts

LOCAL = "local"
"""The source of what did not come over a network."""
USER_AGENT = f"kms/{__version__}"


class Origin(msgspec.Struct, frozen=True):
    """Where a request came from.

    Attributes:
        source: The address of the caller, or LOCAL.
        agent: The program that asks, as it says itself.
        access_key_id: What it was signed with; "" on the command line.
        request_id: A UUID that answer and audit line both tell; "" = drawn when the line is written.
    """

    source: str = LOCAL
    agent: str = USER_AGENT
    access_key_id: str = ""
    request_id: str = ""

    @property
    def facts(self) -> Facts:
        """What the conditions of policies may ask about it."""
        return {} if self.source == LOCAL else {"aws:SourceIp": self.source}


HERE = Origin()
"""The command line."""


class Caller(msgspec.Struct, frozen=True):
    """A principal who asks, and from where.

    Attributes:
        name: Of the principal.
        role: Whether it is a role, not a user.
    """

    name: str
    role: bool = False
    origin: Origin = HERE
