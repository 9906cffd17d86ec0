"""Policies made ready for deciding: read once for each text, with what depends on no request worked out before.

Where AWS leaves a choice, less access is chosen: a Deny for all but some exempts whom it names exactly, an Allow for
all but some leaves out everyone whom the names contain.
Source: IAM user guide, "IAM JSON policy element reference" (Principal, NotPrincipal, Condition), "Condition operators"
and "Multivalued context keys".
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from kmscli.model import patterns, principals, statement
from kmscli.model.comparing import KINDS, positive
from kmscli.model.conditions import OPERATORS, Condition
from kmscli.model.patterns import Context, Parts, Test
from kmscli.model.request import values_of
from kmscli.model.statement import ALLOW, CURRENT_VERSION, EVERYONE, Policy, Principals, Statement

NOBODY, ACCOUNT, ITSELF = 0, 1, 2
"""How a statement means a principal: not at all, by its account alone, or by itself."""
_TIMES = ("aws:currenttime", "aws:epochtime")
_TEXTS = 128
_ACTIONS = 128


class Who(msgspec.Struct, frozen=True):
    """A principal as statements may name it.

    Attributes:
        arn: Its ARN.
        account: Of 12 digits, "" if the ARN is that of no principal.
        root: The ARN that stands for its account.
        names: The ARN, and for a session the mark of its role.
    """

    arn: str
    account: str
    root: str
    names: frozenset[str]


@lru_cache(maxsize=_TEXTS)
def who(arn: str) -> Who:
    """The principal with an ARN."""
    parsed = principals.parse_arn(arn)
    if parsed is None:
        return Who(arn, "", "", frozenset([arn]))
    names = {arn}
    if parsed.kind == "assumed-role":
        names.add(_role_mark(parsed.account, parsed.name.partition("/")[0]))
    return Who(arn, parsed.account, principals.root_arn(parsed.account), frozenset(names))


def _role_mark(account: str, name: str) -> str:
    return f"{account} {name}"  # no ARN has a space


class Named:
    """Whom the Principal or NotPrincipal of a statement means."""

    def __init__(self, given: Principals, effect: str) -> None:
        self.negated, self.allows = given.negated, effect == ALLOW
        self.arns = frozenset(value.name for value in given.values if value.type == "AWS")
        self.everyone = EVERYONE in self.arns
        parsed = filter(None, map(principals.parse_arn, self.arns))
        roles = (_role_mark(one.account, one.name.rpartition("/")[2]) for one in parsed if one.kind == "role")
        self.names = self.arns | frozenset(roles)

    def relation(self, one: Who) -> int:
        """NOBODY, ACCOUNT or ITSELF."""
        if not self.negated:
            if self.everyone or not self.names.isdisjoint(one.names):
                return ITSELF
            return ACCOUNT if one.root in self.arns else NOBODY
        exempt = self.everyone or one.arn in self.arns
        if self.allows:
            exempt = exempt or one.root in self.arns or not self.names.isdisjoint(one.names)
        return NOBODY if exempt else ITSELF


class Texts:
    """Texts of which one has to fit: those of an element, or the values of a condition."""

    def __init__(self, given: Sequence[Parts], make: "Make") -> None:
        self.fixed = make([parts for parts in given if not patterns.has_variables(parts)])
        self.open = [parts for parts in given if patterns.has_variables(parts)]
        self.make = make

    def test(self, context: Context) -> Test | None:
        """The test for a request, or None where a variable has no value."""
        if not self.open:
            return self.fixed
        filled = [patterns.fill(parts, context) for parts in self.open]
        known = [parts for parts in filled if parts is not None]
        if len(known) < len(filled):
            return None
        fixed, added = self.fixed, self.make(known)
        return lambda text: fixed(text) or added(text)


class Make:
    """Makes the test of a condition out of values without variables."""

    def __init__(self, operator: str) -> None:
        self.operator = positive(operator)
        self.kind = KINDS[OPERATORS[operator].kind]

    def read(self, text: str, *, current: bool) -> Parts:
        """The parts of a value; `current`: the policy's Version knows variables."""
        wildcards = self.operator in self.kind.wildcards
        return patterns.read(text, variables=current and self.kind.variables, wildcards=wildcards)

    def __call__(self, wanted: Sequence[Parts]) -> Test:
        """The test of whether one of the values fits."""
        return self.kind.test(self.operator, wanted) if wanted else lambda _: False


class Check:
    """One condition."""

    def __init__(self, given: Condition, *, current: bool) -> None:
        self.given = given
        self.key = given.key.lower()
        self.negated = OPERATORS[given.operator].negated
        self.null = OPERATORS[given.operator].kind == "null"
        make = Make(given.operator)
        self.texts = Texts([make.read(value, current=current) for value in given.values], make)
        self.simple = not (self.null or given.quantifier or self.texts.open)

    def verdict(self, context: Context) -> bool | None:
        """Whether it holds for a request, or None where a variable has no value: then its statement means nothing."""
        value = context.get(self.key)
        if self.simple and isinstance(value, str):
            return self.texts.fixed(value) != self.negated
        actual = values_of(context, self.key)
        if self.null:
            return self.texts.fixed("true" if actual is None else "false")
        if actual is None and self.given.if_exists:
            return True
        test = self.texts.test(context)
        if test is None:
            return None
        if not self.given.quantifier:
            return (actual is not None and any(map(test, actual))) != self.negated
        members = () if actual is None or actual == ("",) else actual  # AWS counts one empty string as no value
        quantified = all if self.given.quantifier == "ForAllValues" else any
        return quantified(test(member) != self.negated for member in members)


class Rule:
    """One statement.

    Attributes:
        label: Its Sid, or its place.
        allows: Whether its Effect is Allow.
        checks: Its conditions.
    """

    def __init__(self, given: Statement, index: int, *, current: bool) -> None:
        self.given = given
        self.label = given.sid or f"Statement[{index}]"
        self.allows = given.effect == ALLOW
        self.named = None if given.principals is None else Named(given.principals, given.effect)
        self.every_resource = given.resource.values == ("*",) and not given.resource.negated
        parts = [patterns.read(text, variables=current, wildcards=True) for text in given.resource.values]
        self.resources = Texts(parts, Make("StringLike"))
        self.checks = [Check(one, current=current) for one in given.conditions]
        self.plain = not self.checks and not self.resources.open

    def relation(self, one: Who, resource: str, context: Context) -> int:
        """How it means the principal, if it means the resource too; else NOBODY."""
        related = ITSELF if self.named is None else self.named.relation(one)
        if related == NOBODY or self.every_resource:
            return related
        test = self.resources.test(context)
        return related if test is not None and test(resource) != self.given.resource.negated else NOBODY

    def holds(self, context: Context) -> bool:
        """Whether all its conditions hold."""
        return all(check.verdict(context) for check in self.checks)


class About(msgspec.Struct, frozen=True):
    """The statements of a policy that mean one action, each in the order of the policy.

    Attributes:
        plain: Whether none of them asks for anything of a request beside principal, action and resource.
        timed: Whether one of them asks for the time.
    """

    denying: tuple[Rule, ...]
    allowing: tuple[Rule, ...]
    plain: bool
    timed: bool


class Document:
    """A policy that is ready for deciding."""

    def __init__(self, given: Policy) -> None:
        self.given = given
        current = given.version == CURRENT_VERSION
        self.rules = [Rule(one, index, current=current) for index, one in enumerate(given.statements)]
        self._by_action: dict[str, About] = {}

    def about(self, action: str) -> About:
        """The statements that mean an action in lower case."""
        found = self._by_action.get(action)
        if found is None:
            if len(self._by_action) >= _ACTIONS:
                self._by_action.clear()
            rules = [rule for rule in self.rules if rule.given.covers_action(action)]
            denying = tuple(rule for rule in rules if not rule.allows)
            found = About(
                denying,
                tuple(rule for rule in rules if rule.allows),
                plain=all(rule.plain for rule in rules),
                timed=any(check.key in _TIMES for rule in rules for check in rule.checks),
            )
            self._by_action[action] = found
        return found


@lru_cache(maxsize=_TEXTS)
def default_policy(account: str) -> Document:
    """The policy of a key that has none of its own: the account decides."""
    return Document(statement.default_policy(account))


@lru_cache(maxsize=_TEXTS)
def key_policy(text: str) -> Document:
    """The key policy that `text` is, made ready once.

    Raises:
        MalformedPolicyError: As `policy.parse`.
    """
    from kmscli.model import policy  # a key with the default policy has no text to be read

    return Document(policy.parse(text))


@lru_cache(maxsize=_TEXTS)
def identity_policy(text: str) -> Document:
    """The identity policy that `text` is, made ready once.

    Raises:
        MalformedPolicyError: As `policy.parse_identity`.
    """
    from kmscli.model import policy

    return Document(policy.parse_identity(text))
