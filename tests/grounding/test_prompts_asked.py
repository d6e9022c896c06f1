"""The chosen wordings are what the model is asked."""

from __future__ import annotations

from decaf_gui.core.entities import Expression
from decaf_gui.grounding.ground import ground
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.settings import GroundingSettings


class Listening(Mllm):
    """A model that remembers what it is asked."""

    def ask(self, prefix, question, settings):
        self.asked = [*getattr(self, "asked", []), question]
        return (yield from super().ask(prefix, question, settings))

    def complete(self, question, settings):
        self.asked = [*self.asked, question]
        return super().complete(question, settings)


def test_named_and_own_wordings_reach_the_model(qwen_folder, frame_list):
    mllm = Listening.load(qwen_folder)
    settings = GroundingSettings(
        frames=3,
        video_tokens=12,
        max_new_tokens=2,
        object_prompt="{expression} What is it?",
        choice_prompt="expression-only",
        background_prompt="Not {expression}\\nWhat else?",
    )
    list(ground(mllm, frame_list, Expression("The dog"), settings))
    objects, choice, background = mllm.asked[:2], mllm.asked[2], mllm.asked[3:]
    assert objects == ["the dog. What is it?"] * 2
    assert choice.splitlines()[:3] == [
        "Given:",
        "- Expression: the dog.",
        "Goal: Identify the object class referred to by the expression.",
    ]
    assert background == ["Not the dog.\nWhat else?"] * 2
