"""The wording that the released code sends, character by character where it is easy to lose one."""

from __future__ import annotations

from typing import get_args

import pytest

from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.grounding import prompts
from decaf_gui.grounding.prompts import background_question, choice_question, object_question
from decaf_gui.grounding.settings import GroundingSettings


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


# appendix F: the printed page as it stands, its line ends taken for spaces

OBJECT_PAGE = {
    "single-sentence": """<E>
Identify the primary object referred to in the expression and answer
with a single word.""",
    "rephrased": """<E>
Identify the primary object referred to in the expression.
Focus on the **primary subject or agent** involved in the described
action or behavior. Respond with a single word (e.g., 'cat',
'person', 'dog') that best describes the target object(s).""",
    "short": """<E>
Determine the primary subject or agent mentioned in the expression
or question, and provide the object's label within a single word or
phrase.""",
}
BACKGROUND_PAGE = {
    "no-category": """Describe the background scene of the video. Answer the question using
a single word or phrase.""",
    "single-sentence": """Describe the background of the video while excluding any <O>,
using a single word or short phrase.""",
    "expression-only": """Describe the background scene of the video, excluding the objects
referred to in the given expression or question <E>. Answer
the question using a single word or phrase.""",
}
CHOICE_PAGE = {
    "single-sentence": """Given the expression <E> and the candidate object classes
<L>, select the single class label that best matches
the object referred to in the expression.""",
    "short": """Using the expression <E> and the candidate object classes
<L>, determine which object class the expression
refers to.
If the reference is explicit, rely on the expression; if ambiguous,
use the class list as support.
Output only the most likely object class.""",
    "expression-only": """Given:
- Expression: <E>
Goal: Identify the object class referred to by the expression.
(e.g., 'a person driving a car' → 'person').
Output the most likely referred object class - just the label.""",
}


def words(text):
    """What is said, and nothing of how it is spaced."""
    return text.replace("<E>", "the dog?").replace("<O>", "dog").replace("<L>", "dog,cat").split()


@pytest.mark.parametrize("name", OBJECT_PAGE)
def test_object_variants_say_what_is_printed(name):
    asked = object_question(Expression("The dog?"), name)
    assert asked.split() == words(OBJECT_PAGE[name])
    assert asked.startswith("the dog? \n")


@pytest.mark.parametrize("name", BACKGROUND_PAGE)
def test_background_variants_say_what_is_printed_on_one_line(name):
    asked = background_question("dog", Expression("The dog?"), name)
    assert asked.split() == words(BACKGROUND_PAGE[name])
    assert "\n" not in asked


@pytest.mark.parametrize("name", CHOICE_PAGE)
def test_choice_variants_say_what_is_printed(name):
    asked = choice_question(Expression("The dog?"), ["Dog", "cat"], name)
    assert asked.split() == words(CHOICE_PAGE[name])
    assert asked.endswith("\n")
    assert "\n\n" not in asked


def test_every_wording_has_a_name_for_the_settings():
    for kind, wordings, page in (
        (prompts.ObjectPrompt, prompts.OBJECT_PROMPTS, OBJECT_PAGE),
        (prompts.BackgroundPrompt, prompts.BACKGROUND_PROMPTS, BACKGROUND_PAGE),
        (prompts.ChoicePrompt, prompts.CHOICE_PROMPTS, CHOICE_PAGE),
    ):
        own = ("attributes",) if kind is prompts.ObjectPrompt else ()
        assert get_args(kind) == tuple(wordings) == ("paper", *page, *own)
    assert get_args(prompts.AttributePrompt) == tuple(prompts.ATTRIBUTE_PROMPTS)


def test_attributes_stand_above_the_question_that_uses_them():
    asked = object_question(Expression("The dog", ("Brown", "on the LEFT")), "attributes")
    lines = asked.split("\n")
    assert lines[0] == "the dog. "
    assert lines[1] == "Attributes of the referred object: brown, on the left. "
    assert "main object (or objects) mentioned in the expression, using the attributes above?" in lines[2]
    assert lines[3:] == object_question(Expression("The dog")).split("\n")[2:], "the rest is the paper's"


@pytest.mark.parametrize("attributes", [None, ()])
def test_without_attributes_the_question_is_the_papers(attributes):
    assert object_question(Expression("The dog", attributes), "attributes") == object_question(Expression("The dog"))


def test_a_wording_without_a_place_for_attributes_has_them_behind_the_expression():
    described = Expression("Which dog?", ("brown",))
    assert object_question(described, "{expression} What is it?") == "which dog? attributes: brown. What is it?"
    assert object_question(described, "paper").startswith("which dog? attributes: brown. \n")
    own = "{expression} Known: {attributes}."
    assert object_question(described, own) == "which dog? Known: brown."
    assert object_question(Expression("a dog"), own) == "a dog. Known: not known."


def test_what_attributes_are_asked_with_names_the_expression():
    for name in prompts.ATTRIBUTE_PROMPTS:
        assert prompts.attribute_question(Expression("The dog"), name).startswith("Expression: 'the dog.'\n")


def test_a_template_of_ones_own_is_filled_once():
    asked = choice_question(Expression("a {candidates}"), ["Dog"], "{candidates} for {expression}\\nwhich?")
    assert asked == "dog for a {candidates}.\nwhich?"
    assert background_question("dog", None, "no {category}") == "no dog"
    assert background_question("dog", None, "what is behind") == "what is behind"


@pytest.mark.parametrize(
    ("setting", "given", "message"),
    [
        ("object_prompt", "v4", '"v4" is not known: choose paper, single-sentence, rephrased, short, attributes, or'),
        ("attribute_prompt", "Which colour?", "lacks {expression}"),
        ("attribute_prompt", "verse", "choose lines, json, or write"),
        ("object_prompt", "", "choose paper"),
        ("object_prompt", "What is it?", "lacks {expression}"),
        ("object_prompt", "{expression} {category}", "has {category}"),
        ("choice_prompt", "{expression} {}", "has {}"),
        ("choice_prompt", "{expression} {", "brace that stands alone"),
        ("choice_prompt", "{expression.text}", "has {expression.text}"),
        ("background_prompt", "single", "choose paper, no-category, single-sentence, expression-only"),
    ],
)
def test_what_is_no_prompt_is_refused_in_one_line(setting, given, message):
    with pytest.raises(BadInput) as caught:
        GroundingSettings(**{setting: given})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
