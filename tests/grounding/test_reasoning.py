"""SteerSeg's reasoning step: what is read of any answer, and the model's answer against transformers' own generate."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForImageTextToText, AutoProcessor

from decaf_gui.core.entities import Expression
from decaf_gui.core.events import Stage
from decaf_gui.grounding.attributes import MOST_ATTRIBUTES, MOST_LETTERS, Reasoning, parse_reasoning
from decaf_gui.grounding.ground import ground
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.prompts import attribute_question, object_question
from decaf_gui.grounding.settings import GroundingSettings

WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=6)
ATTRIBUTES = st.lists(st.lists(WORD, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=6, unique=True)
SENTENCE = st.lists(WORD, min_size=1, max_size=9).map(" ".join)
LABELS = ("attribut", "reason", "because", "explanation")


def unlabelled(text: str) -> bool:
    return not any(word.startswith(LABELS) for word in text.split())


@given(attributes=ATTRIBUTES, reasons=SENTENCE.filter(unlabelled), between=st.sampled_from(["; ", ", ", "\n- "]))
def test_labelled_lines_are_read(attributes, reasons, between):
    answer = f"Attributes: {between.join(attributes)}\nReason: {reasons}."
    assert parse_reasoning(answer) == Reasoning(tuple(attributes), f"{reasons}.")


@given(attributes=ATTRIBUTES, reasons=SENTENCE, fenced=st.booleans(), talk=st.booleans())
def test_json_is_read_wherever_it_stands(attributes, reasons, fenced, talk):
    answer = json.dumps({"Attributes": attributes, "reasons": [reasons]})
    answer = f"```json\n{answer}\n```" if fenced else answer
    answer = f"Here it is [of course]: {answer} I hope that helps." if talk else answer
    assert parse_reasoning(answer) == Reasoning(tuple(attributes), reasons)


@given(st.text())
def test_any_answer_gives_short_attributes_or_none(answer):
    found = parse_reasoning(answer)
    assert len(found.attributes) <= MOST_ATTRIBUTES
    assert all(part.strip() and len(part) <= MOST_LETTERS for part in found.attributes)


@given(st.text('{}[]":,;\nattributes: reason* -1.', max_size=60))
def test_broken_json_and_broken_lines_are_no_error(answer):
    parse_reasoning(answer)


@pytest.mark.parametrize(
    ("answer", "attributes", "reasons"),
    [
        ("**Attributes:** red; on the left\n**Reasons:** it is the only red one", ("red", "on the left"), None),
        ('{"attributes": {"colour": "red", "size": "small"}, "reason": "why"}', ("red", "small"), "why"),
        ('["red", "small"]', ("red", "small"), ""),
        ("1. red\n2. small", ("red", "small"), ""),
        ("red, small, left", ("red", "small", "left"), ""),
        ("dog", (), ""),
        ("The dog, which is on the left of the picture, is brown and jumps over the bar.", (), ""),
        ("I cannot tell.", (), ""),
        ("", (), ""),
        ("Attributes: \nReason: none can be seen", (), "none can be seen"),
        ("Attributes: a very long story about a dog that runs over the field; red", ("red",), ""),
    ],
)
def test_answers_as_models_give_them(answer, attributes, reasons):
    found = parse_reasoning(answer)
    assert found.attributes == attributes
    assert reasons is None or found.reasons == reasons


class Listening(Mllm):
    """A model that remembers what it is asked, and answers the attributes question with given words."""

    said = ""

    def ask(self, prefix, question, settings):
        answers = yield from super().ask(prefix, question, settings)
        self.asked = [*getattr(self, "asked", []), (question, [answer.text for answer in answers])]
        if self.said and question.startswith("Expression: "):
            answers = [replace(answer, text=self.said) for answer in answers]
        return answers


SETTINGS = GroundingSettings.steerseg()
SMALL = replace(SETTINGS, frames=5, video_tokens=12, max_new_tokens=6, frame_batch=2)


def grounding(mllm, clip, expression, settings=SMALL):
    *stages, last = ground(mllm, clip, expression, settings)
    return last.grounding, [event for event in stages if isinstance(event, Stage)]


def test_the_step_answers_as_transformers_generate_does(qwen_folder, frame_list):
    mllm, expression = Listening.load(qwen_folder), Expression("the dog")
    grounding(mllm, frame_list, expression)
    question, (answer,) = mllm.asked[0]
    assert question == attribute_question(expression)
    assert answer == generated(qwen_folder, frame_list, question)


def generated(folder, clip, question: str) -> str:
    """transformers' processor and greedy generate, the vision tower included."""
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    content = [{"type": "video"}, {"type": "text", "text": question}]
    message = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    frames = torch.from_numpy(np.stack([clip[frame] for frame in (0, 2, 4, 6, 9)])).permute(0, 3, 1, 2)
    made = processor(text=[text], videos=[frames], do_sample_frames=False, do_resize=False, return_tensors="pt")
    if "2_5" in type(processor).__name__:  # Qwen2-VL knows no seconds
        made["second_per_grid_ts"] = torch.ones(1)
    with torch.inference_mode():
        tokens = model.generate(**made, max_new_tokens=6, do_sample=False)[0, made["input_ids"].shape[1] :]
    return processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()


def test_what_the_model_names_is_asked_with_and_kept(qwen_folder, frame_list):
    mllm = Listening.load(qwen_folder)
    mllm.said = "Attributes: brown; on the left\nReason: the other one is white"
    found, stages = grounding(mllm, frame_list, Expression("the dog"))
    assert (found.attributes, found.reasons) == (("brown", "on the left"), "the other one is white")
    described = Expression("the dog", found.attributes)
    assert [question for question, _ in mllm.asked[1:]] == [object_question(described, "attributes")] * 4
    assert [stage.note for stage in stages if stage.name == "attributes"] == ["", "brown; on the left"]


def test_given_attributes_ask_nothing_and_the_prefix_serves_all(qwen_folder, frame_list):
    mllm = Listening.load(qwen_folder)
    found, stages = grounding(mllm, frame_list, Expression("the dog", ("white",)))
    assert (found.attributes, found.reasons) == (("white",), "")
    assert not [stage for stage in stages if stage.name == "attributes"]
    assert all(question.startswith("the dog. \n") for question, _ in mllm.asked)
    assert mllm.counters.prefix_prefills == 6
    grounding(mllm, frame_list, Expression("the dog"))
    assert mllm.counters.prefix_prefills == 6


def test_no_attributes_at_all_is_decaf_question(qwen_folder, frame_list):
    mllm = Listening.load(qwen_folder)
    found, _ = grounding(mllm, frame_list, Expression("the dog", ()))
    assert found.attributes == ()
    assert mllm.asked[0][0] == object_question(Expression("the dog"))


def test_decaf_asks_for_none(qwen_folder, frame_list):
    mllm = Listening.load(qwen_folder)
    settings = replace(SMALL, attributes=False, object_prompt="paper", contrast=True)
    found, stages = grounding(mllm, frame_list, Expression("the dog"), settings)
    assert (found.attributes, found.reasons) == ((), "")
    assert "attributes" not in {stage.name for stage in stages}


def test_frames_alone_are_reasoned_about_on_the_video(qwen_folder, frame_list):
    mllm = Listening.load(qwen_folder)
    grounding(mllm, frame_list, Expression("the dog"), replace(SMALL, modalities="frames"))
    assert len(mllm.asked[0][1]) == 1
    assert mllm.counters.vision_inputs == 6
