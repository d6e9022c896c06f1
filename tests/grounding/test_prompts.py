"""The wording that the released code sends, character by character where it is easy to lose one."""

from __future__ import annotations

import pytest

from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.prompts import background_question, choice_question, object_question


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The Dog that jumps ", "the dog that jumps."),
        ("which object helps to dry hands?", "which object helps to dry hands?"),
        ("A cat.", "a cat."),
        ("two\n words", "two words."),
    ],
)
def test_expression_is_stripped_lower_cased_and_closed(text, query):
    assert Expression(text).query == query


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_empty_expression_is_refused(text):
    with pytest.raises(BadInput, match="expression is empty"):
        Expression(text)


def test_object_question_has_the_released_spacing():
    lines = object_question(Expression("The dog")).split("\n")
    assert lines[0] == "the dog. "
    assert lines[1] == "What is the main object (or objects) referred to in the given expression or question? "
    assert lines[2].startswith("Focus on the **primary subject or agent** involved")
    assert lines[2].endswith("best describes the target object(s). ")
    assert len(lines) == 3


def test_background_question_is_one_line_with_the_category():
    question = background_question("dog")
    assert "excluding any dog. Answer" in question
    assert "\n" not in question


def test_choice_lists_lower_cased_candidates_without_blank_lines():
    lines = choice_question(Expression("The dog"), ["Dog", "cat"]).split("\n")
    assert lines[1] == "- Expression: 'the dog.'"
    assert lines[2] == "- Candidate object class list: dog,cat"
    assert lines[-1] == ""
    assert all(lines[:-1])
