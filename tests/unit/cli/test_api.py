"""Verbs and options follow from the operations, as AWS's command line names them."""

from typing import Any

import pytest
from botocore import xform_name
from botocore.session import Session
from typer.core import TyperOption

from kmscli.cli import _api
from kmscli.cli._verbs import API, VERBS, verb_of
from kmscli.service.members import members
from kmscli.service.operations import OPERATIONS, load

MODEL = Session().get_service_model("kms")


def options(operation: str) -> dict[str, TyperOption]:
    """The options of a verb by their names."""
    verb = _api.command(verb_of(operation), API[verb_of(operation)])
    found = [param for param in verb.params if isinstance(param, TyperOption)]
    return {name: option for option in found for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_verb_is_named_as_in_aws(operation: str) -> None:
    assert xform_name(operation, "-") == verb_of(operation)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_option_is_named_as_in_aws(operation: str) -> None:
    known = MODEL.operation_model(operation).input_shape.members
    for member in members(load(operation).request):
        assert member.own or f"--{xform_name(member.name, '-')}" == _api.option_of(member.name)
        assert member.own or member.name in known


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_member_has_an_option_and_every_option_a_help(operation: str) -> None:
    found = options(operation)
    assert {_api.option_of(member.name) for member in members(load(operation).request)} <= set(found)
    assert [name for name, option in found.items() if not option.help] == []


def test_a_boolean_has_its_opposite() -> None:
    assert {"--dry-run", "--no-dry-run"} <= set(options("Encrypt"))


def test_the_key_has_a_short_name_and_the_context_its_own_form() -> None:
    found = options("DescribeKey")
    assert found["-k"] is found["--key-id"]
    assert "-c" in options("GenerateDataKey")
    assert "-c" not in options("ReEncrypt")


def test_lists_page_as_in_aws() -> None:
    paging = {"--max-items", "--starting-token", "--page-size", "--no-paginate", "--limit", "--marker"}
    assert paging <= set(options("ListAliases"))
    assert not {"--max-items", "--no-paginate"} & set(options("DescribeKey"))


def test_no_option_of_the_whole_tool_is_hidden_by_a_verb() -> None:
    from kmscli.cli._settings import ROWS

    own: dict[str, Any] = {name: set(options(row.operation)) for name, row in VERBS.items() if row.operation}
    assert {name: found & {row.name for row in ROWS} for name, found in own.items()} == {name: set() for name in own}
