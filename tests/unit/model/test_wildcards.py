"""The wildcards of policies against a plain definition, and against patterns made to be slow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscli.model.wildcards import matches


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("?", "", False),
        ("kms:*", "kms:Decrypt", True),
        ("kms:Generate*Key", "kms:GenerateDataKey", True),
        ("kms:Generate*Key", "kms:GenerateDataKeyPair", False),
        ("kms:Re?rypt", "kms:ReEncrypt", False),
        ("a*b*c", "abcbc", True),
        ("**a", "ba", True),
        ("[a]", "a", False),
        ("*\n?", "a\n\n", True),
        ("A", "a", False),
    ],
)
def test_a_star_is_any_text_and_a_question_mark_one_character(pattern: str, text: str, answer: object) -> None:
    assert answer == matches(pattern, text)


@given(st.text("ab*?", max_size=8), st.text("ab*?", max_size=8))
def test_wildcards_mean_what_a_regular_expression_says(pattern: str, text: str) -> None:
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(char, re.escape(char)) for char in pattern)
    assert bool(re.fullmatch(expression, text, re.DOTALL)) == matches(pattern, text)


def test_many_stars_cost_no_more_than_the_product_of_the_lengths() -> None:
    assert not matches("a*" * 500 + "b", "a" * 1000)
