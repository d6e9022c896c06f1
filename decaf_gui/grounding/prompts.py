"""The questions put to the multimodal LLM: appendix B's (`paper`), and the variants of appendix F by name.

`paper` has the released code's spacing. Of the variants only the printed page is known: lines that end where the page
does are joined, and lines end as they do in `paper`. `{expression}`, `{attributes}`, `{candidates}` and `{category}`
are filled in. `attributes` and the questions for attributes are SteerSeg's steps in wordings of ours: its own are not
public, but for how the object question ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput

ObjectPrompt = Literal["paper", "single-sentence", "rephrased", "short", "attributes"]
AttributePrompt = Literal["lines", "json"]
ChoicePrompt = Literal["paper", "single-sentence", "short", "expression-only"]
BackgroundPrompt = Literal["paper", "no-category", "single-sentence", "expression-only"]
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_FOCUS = (
    "Focus on the **primary subject or agent** involved in the described action or behavior. "
    "Respond with a single word (e.g., 'cat', 'person', 'dog') that best describes the target object(s). "
)

OBJECT_PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "paper": (
            "{expression} \n"
            "What is the main object (or objects) referred to in the given expression or question? \n"
            f"{_FOCUS}"
        ),
        "single-sentence": (
            "{expression} \nIdentify the primary object referred to in the expression and answer with a single word. "
        ),
        "rephrased": f"{{expression}} \nIdentify the primary object referred to in the expression. \n{_FOCUS}",
        "short": (
            "{expression} \n"
            "Determine the primary subject or agent mentioned in the expression or question, "
            "and provide the object's label within a single word or phrase. "
        ),
        "attributes": (
            "{expression} \n"
            "Attributes of the referred object: {attributes}. \n"
            "What is the main object (or objects) mentioned in the expression, using the attributes above? \n"
            f"{_FOCUS}"
        ),
    }
)
"""Table 10: the original, V1, V2, V3; SteerSeg's, which without attributes is the original."""
ATTRIBUTE_PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "lines": (
            "Expression: '{expression}'\n"
            "Find the object in the video that the expression refers to, and look for objects that could be mistaken "
            "for it.\n"
            "Name three to six short attributes that can be seen and tell it from them: its colour, size, shape, "
            "position in the picture, motion. Use at most four words for each.\n"
            "Answer in two lines and write nothing else:\n"
            "Attributes: <attribute>; <attribute>; <attribute>\n"
            "Reason: <one sentence that says why it is this object>\n"
        ),
        "json": (
            "Expression: '{expression}'\n"
            "Find the object in the video that the expression refers to. What can be seen of it (colour, size, shape, "
            "position in the picture, motion) that tells it from other objects?\n"
            "Answer with JSON and nothing else: attributes is a list of three to six texts of at most four words each, "
            "reason one sentence that says why it is this object.\n"
        ),
    }
)
"""Asks for attributes of the object and for reasons, on the video (SteerSeg)."""
BACKGROUND_PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "paper": (
            "Describe the background scene of the video, excluding any {category}. "
            "Answer the question using a single word or phrase."
        ),
        "no-category": (
            "Describe the background scene of the video. Answer the question using a single word or phrase."
        ),
        "single-sentence": (
            "Describe the background of the video while excluding any {category}, using a single word or short phrase."
        ),
        "expression-only": (
            "Describe the background scene of the video, excluding the objects referred to in the given expression "
            "or question {expression}. Answer the question using a single word or phrase."
        ),
    }
)
"""Table 11: the original, V1, V2, V3."""
CHOICE_PROMPTS: Mapping[str, str] = MappingProxyType(
    {
        "paper": (
            "Given:\n"
            "- Expression: '{expression}'\n"
            "- Candidate object class list: {candidates}\n"
            "Goal: Identify the object class referred to by the expression.\n"
            "Instructions:\n"
            "1. If the expression is **clear**, rely on it directly (e.g., 'a person driving a car' → 'person').\n"
            "2. If the expression is **vague**, use the object class list to support your decision "
            "(e.g., check frequency and plausibility).\n"
            "3. Avoid defaulting to the most frequent class unless the expression lacks clarity.\n"
            "Output the most likely referred object class - just the label.\n"
        ),
        "single-sentence": (
            "Given the expression {expression} and the candidate object classes {candidates}, "
            "select the single class label that best matches the object referred to in the expression.\n"
        ),
        "short": (
            "Using the expression {expression} and the candidate object classes {candidates}, "
            "determine which object class the expression refers to.\n"
            "If the reference is explicit, rely on the expression; if ambiguous, use the class list as support.\n"
            "Output only the most likely object class.\n"
        ),
        "expression-only": (
            "Given:\n"
            "- Expression: {expression}\n"
            "Goal: Identify the object class referred to by the expression.\n"
            "(e.g., 'a person driving a car' → 'person').\n"
            "Output the most likely referred object class - just the label.\n"
        ),
    }
)
"""Table 12: the original, V1, V2, V3."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One of the questions: its wordings by name, what a template may hold in braces, and what it must hold."""

    wordings: Mapping[str, str]
    may: tuple[str, ...]
    must: tuple[str, ...] = ()


ASKINGS: Mapping[str, Asking] = MappingProxyType(
    {
        "object_prompt": Asking(OBJECT_PROMPTS, ("expression", "attributes"), ("expression",)),
        "attribute_prompt": Asking(ATTRIBUTE_PROMPTS, ("expression",), ("expression",)),
        "choice_prompt": Asking(CHOICE_PROMPTS, ("expression", "candidates"), ("expression",)),
        "background_prompt": Asking(BACKGROUND_PROMPTS, ("category", "expression")),
    }
)
"""The questions by the setting that words them."""


def template_of(setting: str, given: str) -> str:
    r"""The template that `given` names, or is; in a template of one's own `\n` may stand for a line break.

    What has a space or a brace in it is a template. Raises BadInput for an unknown name, an unknown placeholder, or
    a template without a placeholder that the question cannot do without.
    """
    asking = ASKINGS[setting]
    if given in asking.wordings:
        return asking.wordings[given]
    held = ", ".join(f"{{{name}}}" for name in asking.may)
    if not re.search(r"[\s{}]", given.strip()):
        names = ", ".join(asking.wordings)
        raise BadInput(f'{setting} "{given}" is not known: choose {names}, or write a template with {held}.')
    found = PLACEHOLDER.findall(given)
    unknown = [name for name in found if name not in asking.may]
    loose = PLACEHOLDER.sub("", given)
    if unknown or "{" in loose or "}" in loose:
        odd = f"{{{unknown[0]}}}" if unknown else "a brace that stands alone"
        raise BadInput(f"{setting} has {odd}: what is filled in is {held}.")
    missing = [name for name in asking.must if name not in found]
    if missing:
        raise BadInput(f"{setting} lacks {{{missing[0]}}}: say where it belongs.")
    return given.replace("\\n", "\n")


def object_question(expression: Expression, prompt: str = "paper") -> str:
    """Asks for the object on the video and on each frame.

    Attributes stand where the wording has a place for them, else behind the expression; without any, the wording
    `attributes` is `paper`.
    """
    listed = ", ".join(expression.attributes or ()).lower()
    template = template_of("object_prompt", "paper" if prompt == "attributes" and not listed else prompt)
    query = expression.query
    if listed and "{attributes}" not in template:
        query = f"{query} attributes: {listed}."
    return _filled(template, expression=query, attributes=listed or "not known")


def attribute_question(expression: Expression, prompt: str = "lines") -> str:
    """Asks for attributes of the object, and for reasons, on the video (SteerSeg)."""
    return _filled(template_of("attribute_prompt", prompt), expression=expression.query)


def background_question(category: str, expression: Expression | None = None, prompt: str = "paper") -> str:
    """Asks for the scene without the chosen category: its map is subtracted (eq. 4)."""
    query = "" if expression is None else expression.query
    return _filled(template_of("background_prompt", prompt), category=category, expression=query)


def choice_question(expression: Expression, candidates: Sequence[str], prompt: str = "paper") -> str:
    """Text only: which of the answers given so far does the expression mean?"""
    listed = ",".join(candidate.lower() for candidate in candidates)
    return _filled(template_of("choice_prompt", prompt), expression=expression.query, candidates=listed)


def _filled(template: str, **values: str) -> str:
    """All placeholders at once: what is filled in is not looked through again."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)
