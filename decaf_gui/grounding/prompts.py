"""The questions put to the multimodal LLM (DecAF, appendix B), with the released code's spacing."""

from __future__ import annotations

from collections.abc import Sequence

from decaf_gui.core.entities import Expression


def object_question(expression: Expression) -> str:
    """Asks for the object on the video and on each frame."""
    return (
        f"{expression.query} \n"
        "What is the main object (or objects) referred to in the given expression or question? \n"
        "Focus on the **primary subject or agent** involved in the described action or behavior. "
        "Respond with a single word (e.g., 'cat', 'person', 'dog') that best describes the target object(s). "
    )


def background_question(category: str) -> str:
    """Asks for the scene without the chosen category: its map is subtracted (eq. 4)."""
    return (
        f"Describe the background scene of the video, excluding any {category}. "
        "Answer the question using a single word or phrase."
    )


def choice_question(expression: Expression, candidates: Sequence[str]) -> str:
    """Text only: which of the answers given so far does the expression mean?"""
    listed = ",".join(candidate.lower() for candidate in candidates)
    return (
        "Given:\n"
        f"- Expression: '{expression.query}'\n"
        f"- Candidate object class list: {listed}\n"
        "Goal: Identify the object class referred to by the expression.\n"
        "Instructions:\n"
        "1. If the expression is **clear**, rely on it directly (e.g., 'a person driving a car' → 'person').\n"
        "2. If the expression is **vague**, use the object class list to support your decision "
        "(e.g., check frequency and plausibility).\n"
        "3. Avoid defaulting to the most frequent class unless the expression lacks clarity.\n"
        "Output the most likely referred object class - just the label.\n"
    )
