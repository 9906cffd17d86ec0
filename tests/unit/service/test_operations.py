"""The table of operations: each row loads, and says what it does."""

from collections.abc import Callable
from typing import get_type_hints

import pytest

from kmscli.service import operations
from kmscli.service.context import Call, Change
from kmscli.service.shapes import Request, Response


@pytest.mark.parametrize("name", operations.OPERATIONS)
def test_each_row_loads_a_function_and_its_two_structs(name: str) -> None:
    operation = operations.load(name)
    assert issubclass(operation.request, Request)
    assert issubclass(operation.response, Response)
    assert isinstance(operation.handler, Callable)  # type: ignore[arg-type]
    hints = get_type_hints(operation.handler)
    assert hints["request"] is operation.request
    assert hints["return"] is operation.response
    assert set(hints.values()) - {operation.request, operation.response} == {Change if operation.row.changes else Call}


@pytest.mark.parametrize("name", operations.OPERATIONS)
def test_each_row_has_a_summary_of_one_line(name: str) -> None:
    summary = operations.OPERATIONS[name].summary
    assert summary[0].isupper()
    assert summary.endswith(".")
    assert "\n" not in summary
    assert len(summary) <= 100


@pytest.mark.parametrize("name", operations.OPERATIONS)
def test_a_paged_operation_has_the_members_of_one(name: str) -> None:
    operation = operations.load(name)
    paged = bool(operation.row.pages)
    assert paged == ("Marker" in operation.request.__struct_encode_fields__)
    assert paged == ("NextMarker" in operation.response.__struct_encode_fields__)
    if paged:
        assert operation.row.pages == operation.response.__struct_encode_fields__[0]


def test_the_table_is_in_the_order_of_names() -> None:
    assert list(operations.OPERATIONS) == sorted(operations.OPERATIONS)
