"""The demo MLLM: its folder, its tokenizer, and that its packed training forward is the plain model's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as images
from transformers import AutoModelForImageTextToText, AutoProcessor

from decaf_gui.core.entities import Expression
from decaf_gui.demo import mllm_architecture as architecture
from decaf_gui.demo import mllm_data as data
from decaf_gui.demo import mllm_losses as grounding_losses
from decaf_gui.demo import mllm_training as training
from decaf_gui.demo.mllm_packed import PackedQuestions, packed_forward
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.demo.world import COLOURS, SHAPES
from decaf_gui.grounding.attributes import parse_reasoning
from decaf_gui.grounding.prompts import choice_question, object_question

SEED = 1_000_007


@pytest.fixture(scope="module")
def processor() -> Any:
    return architecture.build_processor(architecture.demo_tokenizer())


@pytest.fixture(scope="module")
def wording(processor: Any) -> data.Wording:
    return data.Wording(processor)


@pytest.fixture(scope="module")
def clip() -> ShapesClip:
    return make_clip(SEED, frames=5, size=(112, 168))


@pytest.fixture(scope="module")
def model() -> Any:
    """Random weights with sharp attentions, so that a wrong position or mask shows."""
    made = architecture.build_mllm(3)
    training.initialise(made)
    for name, parameter in made.named_parameters():
        if "q_proj.weight" in name or "k_proj.weight" in name:
            parameter.data.mul_(1.4)
    made.set_attn_implementation("eager")
    return made.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: Any, processor: Any) -> Path:
    made = tmp_path_factory.mktemp("model") / "demo"
    architecture.export_folder(model, processor, made, {"note": "test"})
    return made


def test_every_word_of_the_world_is_one_token_bare_and_behind_a_space(processor: Any) -> None:
    for word in (*SHAPES, *COLOURS):
        assert len(processor.tokenizer.tokenize(word)) == 1
        assert len(processor.tokenizer.tokenize(" " + word)) == 1


def test_text_outside_the_vocabulary_survives_encoding(processor: Any) -> None:
    text = "Zwölf Boxkämpfer → 99% <b>\n"
    assert processor.tokenizer.decode(processor.tokenizer(text)["input_ids"]) == text


def test_a_candidate_in_a_list_ends_in_its_own_token(processor: Any) -> None:
    tokens = processor.tokenizer.tokenize(choice_question(Expression("x"), list(SHAPES)))
    assert all(shape in tokens or "Ġ" + shape in tokens for shape in SHAPES)


def test_the_exported_folder_loads_like_a_released_model(folder: Path, model: Any, processor: Any) -> None:
    loaded = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
    opened = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
    question = object_question(Expression("the red thing"))
    assert opened.tokenizer(question)["input_ids"] == processor.tokenizer(question)["input_ids"]
    assert loaded.config.model_type == "qwen2_5_vl"
    for name, parameter in loaded.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name).bfloat16().float()), name


def test_the_exported_files_are_readable_by_everyone(folder: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_the_exported_processor_keeps_the_input_size(folder: Path) -> None:
    opened = AutoProcessor.from_pretrained(folder)
    frame = np.zeros((168, 140, 3), np.uint8)
    video = opened.video_processor(videos=[[frame] * 4], do_sample_frames=False, return_tensors="pt")
    image = opened.image_processor(images=[np.zeros((336, 280, 3), np.uint8)], return_tensors="pt")
    assert video["video_grid_thw"].tolist() == [[2, 12, 10]]
    assert image["image_grid_thw"].tolist() == [[1, 24, 20]]


def test_the_chat_template_puts_the_picture_before_the_question(processor: Any) -> None:
    content = [{"type": "video"}, {"type": "text", "text": "What?"}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        "<|vision_start|><|video_pad|><|vision_end|>What?<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("kind", ["video", "image"])
def test_packed_pixels_are_the_processors(kind: Any, clip: ShapesClip, processor: Any) -> None:
    shown = data.view(clip)
    pixels, grid = data.patches(shown.frames, kind, shown.grid, processor)
    scale = 2 if kind == "image" else 1
    size = [n * data.TOKEN * scale for n in shown.grid]
    resized = images.resize(shown.frames, size, images.InterpolationMode.BICUBIC, antialias=True)
    if kind == "image":
        made = processor.image_processor(images=list(resized), do_resize=False, return_tensors="pt")
        expected, grids = made["pixel_values"], made["image_grid_thw"]
    else:
        options = {"do_resize": False, "do_sample_frames": False, "cap_pixels_per_frame": False}
        made = processor.video_processor(videos=[resized], return_tensors="pt", **options)
        expected, grids = made["pixel_values_videos"], made["video_grid_thw"]
    assert tuple(grids[0].tolist()) == grid
    torch.testing.assert_close(pixels.flatten(0, 1), expected, atol=1e-5, rtol=0)


def _packed(clip: ShapesClip, kind: Any, wording: data.Wording) -> tuple[PackedQuestions, data.Targets]:
    questions = data.ask(clip, 4, np.random.default_rng(0), kind, full=True)
    shown = () if kind == "video" else [[1], [3]]
    views = [data.view(clip)] * (1 if kind == "video" else 2)
    return data.pack(views, [questions] * len(views), kind, wording, shown)


def _plain(model: Any, batch: PackedQuestions, i: int, k: int) -> tuple[Tensor, Tensor]:
    """Logits at the answer's rows and the dense V-Max rollout of one question, from transformers alone."""
    length = int(batch.lengths[i, k])
    ids = torch.cat([batch.prefix, batch.suffix[i, k]])[None]
    is_video = batch.kind == "video"
    kinds = torch.zeros_like(ids)
    kinds[:, slice(*batch.visual)] = 2 if is_video else 1
    pixels, grid = batch.pixels[i], torch.tensor([batch.grid])
    shown = (
        {"pixel_values_videos": pixels, "video_grid_thw": grid, "second_per_grid_ts": torch.ones(1)}
        if is_video
        else {"pixel_values": pixels, "image_grid_thw": grid}
    )
    n = len(batch.prefix) + length
    with torch.inference_mode():
        made = model(input_ids=ids, mm_token_type_ids=kinds, output_attentions=True, **shown)
    rollout = torch.eye(n)
    for attention in made.attentions[len(made.attentions) // 2 :]:
        a = attention[0, :, :n, :n]
        weights = a[:, :, slice(*batch.visual)].amax(-1).mean(-1)
        mixed = (weights[:, None, None] / weights.max() * a).mean(0)
        rollout = (mixed + torch.eye(n)) / 2 @ rollout
    return made.logits[0, n - 1 : n - 1 + batch.answers], rollout[:, slice(*batch.visual)]


@pytest.mark.parametrize("kind", ["video", "image"])
def test_packed_questions_get_the_logits_and_rollouts_of_single_ones(
    kind: Any, clip: ShapesClip, wording: data.Wording, model: Any
) -> None:
    batch, _ = _packed(clip, kind, wording)
    with torch.inference_mode():
        packed = packed_forward(model, batch)
    for i, k in [(0, 0), (0, 3), (len(batch.pixels) - 1, 2)]:
        logits, rollout = _plain(model, batch, i, k)
        torch.testing.assert_close(packed.logits[i, k], logits, atol=1e-4, rtol=1e-4)
        for r, row in enumerate((batch.rows[i, k] + len(batch.prefix)).tolist()):
            expected = rollout[row]
            torch.testing.assert_close(packed.maps[i, k, r], expected, atol=1e-5 * float(expected.max()), rtol=0)


def test_losses_are_least_where_the_maps_are_the_targets(clip: ShapesClip, wording: data.Wording) -> None:
    _, targets = _packed(clip, "image", wording)
    flat = torch.full_like(targets.maps, 1 / targets.maps.shape[-1])
    perfect = grounding_losses.map_losses(targets.maps + 1e-9, targets)
    spread = grounding_losses.map_losses(flat, targets)
    assert perfect["kl"] == pytest.approx(0, abs=1e-4)
    assert perfect["dice"] == pytest.approx(0, abs=0.35)
    assert all(perfect[name] < spread[name] for name in perfect)


def test_contrast_punishes_a_background_map_that_covers_the_object(clip: ShapesClip, wording: data.Wording) -> None:
    batch, targets = _packed(clip, "image", wording)
    maps = targets.maps[:, :, 0].clone()
    is_background = targets.pairs < 0
    kept = grounding_losses.contrast_loss(torch.where(is_background[..., None], 0.01, maps), batch, targets)
    erased = grounding_losses.contrast_loss(torch.where(is_background[..., None], 2.0, maps), batch, targets)
    assert kept < 0.7 < erased


def test_smoothing_is_the_engines(clip: ShapesClip) -> None:
    from decaf_gui.grounding.fusion import smooth

    maps = torch.rand(1, 2, 3 * 6 * 8)
    found = grounding_losses.gaussian(maps, (3, 6, 8), 7)
    expected = smooth(maps.reshape(-1, 6, 8).numpy(), 7, 1.0)
    np.testing.assert_allclose(found.reshape(-1, 6, 8).numpy(), expected, atol=1e-6)


def test_background_targets_leave_out_the_category_only(clip: ShapesClip, wording: data.Wording) -> None:
    shape = clip.objects[0].shape
    same = [i for i, o in enumerate(clip.objects) if o.shape == shape]
    coverage = data.token_coverage(data.view(clip).coverage, "image")[:, 0]
    _, targets = data.pack([data.view(clip)], [[data.background_ask(clip, shape)]], "image", wording, [[0]])
    torch.testing.assert_close(targets.maps[0, 0, 0], 1 - coverage[same].sum(0).clamp(max=1))


def _work(task: training.Task, wording: data.Wording, *, choices: bool = False) -> training.Work:
    random = np.random.default_rng(SEED)
    views = training.Pool().draw(0, max(task.clips, task.videos), random)
    return training.make_work(task, wording, views, random, choices=choices)


def test_the_same_seed_gives_the_same_work(wording: data.Wording) -> None:
    task = replace(training.LARGE, clips=2, videos=1, questions=3)
    one, two = (_work(task, wording, choices=True) for _ in range(2))
    for (a, _), (b, _) in zip(one.packs, two.packs, strict=True):
        assert torch.equal(a.pixels, b.pixels)
        assert torch.equal(a.suffix, b.suffix)
    assert one.choices is not None
    assert two.choices is not None
    assert torch.equal(one.choices[0], two.choices[0])


def test_repeating_one_batch_lowers_its_losses(wording: data.Wording) -> None:
    trainee = training.Trainee(0)
    task = replace(training.BARE, clips=3, videos=1, questions=4)
    work = _work(task, wording)
    parts = [training.train_step(trainee, work, 1e-3, contrast=False) for _ in range(12)]
    for name in ("video_answer", "video_kl", "image_dice", "image_colour"):
        assert parts[-1][name] < 0.8 * parts[0][name], name


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path, wording: data.Wording) -> None:
    trainee = training.Trainee(0)
    task = replace(training.BARE, clips=1, videos=1, questions=3)
    work = _work(task, wording)
    training.train_step(trainee, work, 1e-3, contrast=False)
    trainee.save(tmp_path / "last.pt")
    again = training.Trainee(1)
    again.load(tmp_path / "last.pt")
    assert again.step == trainee.step == 1
    training.train_step(trainee, work, 1e-3, contrast=False)
    training.train_step(again, work, 1e-3, contrast=False)
    for name, parameter in trainee.model.named_parameters():
        torch.testing.assert_close(parameter, again.model.get_parameter(name), msg=name)


def test_clock_counts_earlier_parts_of_a_run() -> None:
    clock = training.Clock(100.0)
    assert 100 <= clock.seconds < 101
    assert not clock.due("x", 1000)


def test_a_broken_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    tiny = replace(training.BARE, clips=1, videos=1, questions=3)
    plan = training.Plan(4, curriculum=(training.Stage("bare", 1.0, ((1.0, tiny),)),))
    wording, pool = data.Wording(training.Trainee(1).processor), training.Pool()
    whole, broken = training.Trainee(1), training.Trainee(1)
    for _ in range(4):
        training.take_step(whole, plan, wording, pool)
    for _ in range(2):
        training.take_step(broken, plan, wording, pool)
    broken.save(tmp_path / "last.pt")
    resumed = training.Trainee(1)
    resumed.load(tmp_path / "last.pt")
    for _ in range(2):
        training.take_step(resumed, plan, wording, training.Pool())
    for name, parameter in whole.model.named_parameters():
        torch.testing.assert_close(parameter, resumed.model.get_parameter(name), msg=name)


def test_a_run_starts_from_a_model_folder(folder: Path, model: Any) -> None:
    trainee = training.Trainee(9)
    trainee.start_from(training.weights_of(folder))
    averaged = trainee.averaged_model()
    for name, parameter in averaged.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name).bfloat16().float()), name


def test_one_frame_is_not_asked_where_something_moves(wording: data.Wording) -> None:
    clip = next(c for c in map(make_clip, range(SEED, SEED + 20)) if any(e.kind == "motion" for e in c.expressions))
    expression = next(e for e in clip.expressions if e.kind == "motion")
    questions = [data.object_ask(clip, expression, pair=1), data.background_ask(clip, expression.answer)]
    shown = data.view(clip)
    _, still = data.pack([shown], [questions], "image", wording, [[2]])
    _, video = data.pack([shown], [questions], "video", wording)
    everything = data.token_coverage(shown.coverage, "image")[:, 2].sum(0).clamp(max=1)
    assert still.blind.tolist() == [[True, False]]
    assert not video.blind.any()
    assert bool((still.answers[0, 0] == data.NO_ANSWER).all())
    torch.testing.assert_close(still.maps[0, 0, 0], everything)
    word = wording.ids(" " + Expression(expression.text).query.rstrip(".?").split()[-1])
    assert len(word) == 1
    assert bool((video.maps[0, 0, 1] > 0).any())


@pytest.fixture(scope="module")
def clips() -> list[ShapesClip]:
    return [make_clip(seed, frames=4, size=(84, 112)) for seed in range(SEED, SEED + 12)]


def test_a_described_question_is_asked_of_one_frame_when_the_description_fits_nothing_else(
    clips: list[ShapesClip],
) -> None:
    described = [
        (clip, question)
        for turn, clip in enumerate(clips)
        for question in data.ask(clip, 8, np.random.default_rng(turn), "video", full=True, described=1.0)
        if question.role == "object"
    ]
    assert len(described) > 40
    for clip, question in described:
        listed = question.text.split("\n")[1]
        assert listed.startswith("Attributes of the referred object: ")
        told = set(listed.removesuffix(". ").split(": ")[1].split(", "))
        looks = [{o.colour, o.size, o.shape} for o in clip.objects]
        seen = told & set().union(*looks)
        fitting = {i for i, look in enumerate(looks) if seen and seen <= look}
        motion = {"moves", "stands"} & set(question.text.split("\n")[0].replace(".", " ").split())
        if motion:
            assert question.moving == (fitting != set(question.objects or ()))


def test_attributes_are_those_of_all_objects_and_read_back_as_grounding_reads_them(clips: list[ShapesClip]) -> None:
    for clip in clips:
        for expression in clip.expressions:
            question = data.attribute_ask(clip, expression)
            things = [thing for thing in clip.objects if thing.id in expression.objects]
            found = parse_reasoning(question.answer)
            for word in found.attributes:
                where = (
                    [f"moves {o.motion}" if o.motion != "still" else "stands still" for o in things]
                    if " " in word
                    else [next(x for x in (o.colour, o.size, o.shape) if x == word) for o in things]
                )
                assert set(where) == {word}
            if len(things) == 1:
                assert {things[0].colour, things[0].shape} <= set(found.attributes)
            assert found.reasons.startswith("nothing else ")
            assert set(found.reasons.split()[2:]) - {"is", "a"} <= set(expression.text.rstrip("?").split())


def test_every_row_of_every_answer_lies_in_the_questions(clips: list[ShapesClip], wording: data.Wording) -> None:
    for turn, clip in enumerate(clips):
        asked = data.attribute_asks(clip, 6, np.random.default_rng(turn))
        batch, targets = data.pack([data.view(clip)], [asked], "video", wording)
        assert int(batch.lengths.max()) - 1 + batch.answers <= batch.suffix.shape[2]
        for k, question in enumerate(asked):
            told = targets.answers[0, k][targets.answers[0, k] != data.NO_ANSWER]
            assert wording.tokenizer.decode(told, skip_special_tokens=True) == question.answer


def test_stages_without_attributes_see_what_they_saw_without_them(wording: data.Wording) -> None:
    task = replace(training.LARGE, clips=2, videos=1, questions=3)
    bare = replace(task, full=False)
    random = [np.random.default_rng(4) for _ in range(2)]
    views = training.Pool().draw(0, 2, np.random.default_rng(SEED))
    with_them, without = (
        training.make_work(bare, wording, views, r, choices=False, attributes=told)
        for r, told in zip(random, (True, False), strict=True)
    )
    assert with_them.attributes is None
    for (a, _), (b, _) in zip(with_them.packs, without.packs, strict=True):
        assert torch.equal(a.suffix, b.suffix)


def test_repeating_questions_for_attributes_teaches_their_answers(wording: data.Wording) -> None:
    trainee = training.Trainee(0)
    task = replace(training.SMALL, clips=1, videos=1, questions=3)
    views = training.Pool().draw(0, 1, np.random.default_rng(SEED))
    works = (
        training.make_work(task, wording, views, np.random.default_rng(n), choices=False, attributes=True)
        for n in range(20)
    )
    work = next(work for work in works if work.attributes is not None)
    parts = [training.train_step(trainee, work, 1e-3, contrast=False) for _ in range(15)]
    assert parts[-1]["reasoning"] < 0.6 * parts[0]["reasoning"]


def test_the_outermost_objects_are_those_by_hand() -> None:
    left, right = torch.zeros(2, 4, 10), torch.zeros(2, 4, 10)
    left[:, 1, 2] = right[0, 1, 7] = 1  # the right one is not there in the second frame
    found = grounding_losses.outermost(torch.stack([left, right]).flatten(1), (2, 4, 10)).unflatten(1, (2, 4, 10))
    assert found[0, 0, 0, 0].tolist()[:2] == [1, 0]
    assert found[1, 0, 3, 9].tolist()[:2] == [0, 1]
    assert found[:, 0, 0, 0, 2:].isnan().all()  # at one height
    assert found[:, 1].isnan().all()  # alone, or not there
    near = torch.stack([left, left.roll(1, dims=2) * 0.9 + left * 0.1])
    assert not (grounding_losses.outermost(near.flatten(1), (2, 4, 10)) == 1).any()
