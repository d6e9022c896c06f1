"""The demo's scenes: every expression is checked on masks and colours, not on the ways behind them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Proposed
from decaf_gui.demo import scenes as module
from decaf_gui.demo.scenes import (
    CROSSING,
    FPS,
    HIDE_AND_SEEK,
    LOOKALIKES,
    SCENES,
    SIZE,
    SIZES,
    WORLD,
    Checked,
    actors_of,
    along,
    check,
    clip_of,
    ready_of,
    write_scenes,
)
from decaf_gui.demo.sentences import expressions_of, vocabulary
from decaf_gui.demo.shapes import target_masks
from decaf_gui.demo.world import BACKGROUNDS, COLOUR_VALUES, SHAPES
from decaf_gui.formats import davis
from decaf_gui.pipeline.engine import Engine

CLIPS = {scene.name: clip_of(scene) for scene in SCENES}
EVERY = [
    pytest.param(scene, said, id=f"{scene.name}-{said.text}")
    for scene in SCENES
    for said in CLIPS[scene.name].expressions
]
each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
WAYS = {"left": (0, -1), "right": (0, 1), "top": (1, -1), "above": (1, -1), "bottom": (1, 1), "below": (1, 1)}
MOVES = {"moves left": (0, -1), "moves right": (0, 1), "rises": (1, -1), "moves up": (1, -1), "moves down": (1, 1)}
STILL = ("stands still", "does not move", "stays in place")


def areas(clip):
    """Pixels (K, T)."""
    return clip.masks.sum(axis=(2, 3))


def at_the_edge(clip):
    """Where an object has pixels on the picture's edge: bool (K, T)."""
    m = clip.masks
    return m[:, :, 0].any(-1) | m[:, :, -1].any(-1) | m[..., 0].any(-1) | m[..., -1].any(-1)


def whole(clip):
    """Frames on which an object is neither cut by the edge nor hidden: bool (K, T)."""
    pixels = areas(clip)
    return (pixels > 0.97 * pixels.max(axis=1, keepdims=True)) & ~at_the_edge(clip)


@cache
def middles(clip):
    """Middle of the box around each mask (K, T, 2) as (x, y); nan where it is not whole."""
    found = np.full((*clip.masks.shape[:2], 2), np.nan)
    for k, t in np.argwhere(whole(clip)):
        ys, xs = np.nonzero(clip.masks[k, t])
        found[k, t] = (xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2
    return found


@cache
def lengths(clip):
    """The longer side of the box around each object, at its largest (K,)."""

    def longer(mask):
        return max(np.ptp(np.nonzero(mask)[0]), np.ptp(np.nonzero(mask)[1])) if mask.any() else 0

    return np.array([max(longer(mask) for mask in masks) for masks in clip.masks])


def colour_of(clip, index):
    """The word for the median colour of an object's pixels."""
    pixel = np.median(clip.frames[clip.masks[index]].astype(float), axis=0)
    return min(COLOUR_VALUES, key=lambda name: np.linalg.norm(pixel - np.array(COLOUR_VALUES[name], float)))


def who_looks(clip, text):
    words = text.split()
    colours, shapes = set(COLOUR_VALUES) & set(words), set(SHAPES) & set(words)
    return {
        index
        for index, thing in enumerate(clip.objects)
        if (not colours or colour_of(clip, index) in colours) and (not shapes or thing.shape in shapes)
    }


def who_has_the_size(clip, text):
    size = lengths(clip)
    if "large" in text:
        return {int(size.argmax())} if np.sort(size)[-2] < 0.85 * size.max() else set()
    return {int(size.argmin())} if np.sort(size)[1] > 1.15 * size.min() else set()


def who_moves(clip, text):
    """Those whose middles go that way all the time, or nowhere."""
    if "leaves the picture" in text:
        return {k for k in range(len(clip.objects)) if leaves(clip, k)}
    found = set()
    for k, path in enumerate(middles(clip)):
        path = path[~np.isnan(path[:, 0])]
        if any(word in text for word in STILL):
            found |= {k} if np.ptp(path, axis=0).max() < 2 else set()
            continue
        axis, sign = next(way for word, way in MOVES.items() if word in text)
        steps = np.diff(path[:, axis]) * sign
        across = np.ptp(path[:, 1 - axis])
        if steps.min() > -1.5 and steps.sum() > 0.2 * SIZE[1 - axis] and across < 0.5 * steps.sum():
            found.add(k)
    return found


def leaves(clip, k):
    """Whether an object has no pixels in the middle of the clip, and was at the picture's edge right before."""
    gone = np.flatnonzero(areas(clip)[k] == 0)
    return len(gone) > 0 and gone[0] > 0 and at_the_edge(clip)[k, gone[0] - 1]


def on_that_side(clip, one, other, way):
    """Shares of the frames with both on which `one` is clearly, and at all, on that side of `other`."""
    axis, sign = way
    gap = (middles(clip)[one, :, axis] - middles(clip)[other, :, axis]) * sign
    gap = gap[~np.isnan(gap)]
    return (gap > 0.08 * SIZE[1 - axis]).mean(), (gap > 0).mean()


def who_is_there(clip, text):
    """Those that are clearly farther to the side than each other one."""
    way, everyone = WAYS[text.split()[-1]], range(len(clip.objects))
    return {k for k in everyone if all(on_that_side(clip, k, o, way)[0] > 0.9 for o in everyone if o != k)}


def who_is_beside(clip, text):
    word = next(word for word in WAYS if f" {word} " in text)
    (other,) = who_looks(clip, text.split(word)[1])
    sides = {k: on_that_side(clip, k, other, WAYS[word]) for k in range(len(clip.objects)) if k != other}
    assert all(clear > 0.9 or at_all < 0.2 for clear, at_all in sides.values()), "nobody is half there"
    return {k for k, (clear, _) in sides.items() if clear > 0.9}


WHO = {
    "colour": who_looks,
    "shape": who_looks,
    "colour_shape": who_looks,
    "size": who_has_the_size,
    "motion": who_moves,
    "position": who_is_there,
    "relation": who_is_beside,
}


@pytest.mark.parametrize(("scene", "said"), EVERY)
def test_every_expression_is_true_of_exactly_its_targets(scene, said):
    clip = CLIPS[scene.name]
    assert {clip.objects[k].id for k in WHO[said.kind](clip, said.text)} == set(said.objects)


@each_scene
def test_expressions_are_worded_as_in_training_and_agree_with_it(scene):
    clip, actors = CLIPS[scene.name], actors_of(scene)
    shown = areas(clip) > 0
    trained = {
        said.text: said
        for seed in range(200)
        for said in expressions_of(np.random.default_rng(seed), actors, shown, SIZE)
    }
    for said in clip.expressions:
        assert set(re.findall(r"\w+", said.text)) <= set(vocabulary())
        if "leaves the picture" not in said.text:  # training says so of nobody while another one is hidden
            assert trained[said.text] == said


@each_scene
def test_a_scene_is_the_same_bit_by_bit_each_time(scene):
    again = clip_of(scene)
    assert np.array_equal(again.frames, CLIPS[scene.name].frames)
    assert np.array_equal(again.masks, CLIPS[scene.name].masks)
    assert again.expressions == CLIPS[scene.name].expressions


@each_scene
def test_scenes_stay_inside_what_the_models_were_trained_on(scene):
    clip = CLIPS[scene.name]
    assert clip.frames.shape == (scene.frames, *SIZE, 3)
    assert 4 <= scene.frames / FPS <= 5
    assert WORLD.shapes[0] <= len(scene.cast) <= WORLD.shapes[1]
    assert all(WORLD.radius[0] <= role.radius <= WORLD.radius[1] for role in scene.cast)
    assert scene.background in BACKGROUNDS
    grown = [[cv2.dilate(m.astype(np.uint8), np.ones((5, 5))) for m in masks] for masks in clip.masks]
    touching = np.max(np.sum(grown, axis=0), axis=(1, 2)) > 1  # (T,)
    assert touching.mean() < 0.5, "apart on most frames"


@each_scene
def test_nobody_stands_at_the_edge_but_who_leaves(scene):
    clip = CLIPS[scene.name]
    for role, edge in zip(scene.cast, at_the_edge(clip), strict=True):
        assert edge.any() == role.returns


@each_scene
def test_motion_is_soft(scene):
    for actor in actors_of(scene):
        speed = np.linalg.norm(np.diff(actor.centres, axis=0), axis=1)  # pixels per frame
        assert speed[[0, -1]].max() < 3
        assert speed.max() < 0.06 * SIZE[1]
        assert np.abs(np.diff(speed)).max() < 4


def test_colours_of_a_scene_differ_from_each_other_and_from_the_background():
    for clip in CLIPS.values():
        nobody = clip.frames[~clip.masks.any(axis=0)].mean(axis=0)
        looks = [np.median(clip.frames[masks], axis=0) for masks in clip.masks]
        for place, look in enumerate(looks):
            assert all(np.linalg.norm(look - other) > 90 for other in [nobody, *looks[:place]])


def test_crossing_two_meet_and_one_is_in_front():
    clip = CLIPS[CROSSING.name]
    cross, star, heart = areas(clip)
    assert star.min() < 0.6 * star.max()
    assert heart.min() > 0.97 * heart.max()
    assert cross.min() == cross.max()
    _, star, heart = middles(clip)[..., 0]
    assert star[0] > heart[0]
    assert star[-1] < heart[-1]


def test_lookalikes_have_one_form_and_go_side_by_side_with_a_moment_of_closeness():
    clip = CLIPS[LOOKALIKES.name]
    _, cyan, pink = clip.objects
    assert cyan.shape == pink.shape
    assert cyan.colour != pink.colour
    _, first, second = middles(clip)
    assert np.abs(np.diff(first[:, 0]) - np.diff(second[:, 0])).max() <= 2
    apart = np.linalg.norm(first - second, axis=1)
    assert len(apart) / 3 < apart.argmin() < len(apart) * 2 / 3
    assert apart.min() < 0.7 * apart[[0, -1]].min()


def test_hide_and_seek_one_leaves_and_returns_and_one_hides_and_comes_out():
    clip = CLIPS[HIDE_AND_SEEK.name]
    circle, square, star = areas(clip) > 0
    for seen in (circle, star):
        assert list(seen[np.flatnonzero(np.diff(seen.astype(int), prepend=0))]) == [True, False, True]
        assert 4 <= (~seen).sum() <= 15
    assert square.all()
    assert not leaves(clip, 0)
    assert leaves(clip, 2)


def test_sizes_the_large_one_is_still_and_the_small_ones_move():
    clip = CLIPS[SIZES.name]
    large, *others = lengths(clip)
    assert all(other < 0.75 * large for other in others)
    ways = np.nanmax(middles(clip), axis=1) - np.nanmin(middles(clip), axis=1)
    assert ways[0].max() < 2
    assert all(way[1] > 0.5 * SIZE[0] for way in ways[1:])


@each_scene
def test_the_ready_ones_are_of_several_kinds_and_name_several_shapes(scene):
    ready = ready_of(scene, CLIPS[scene.name])
    assert 3 <= len(ready) == len(set(ready)) <= 6
    assert len({said.kind for said in ready}) >= 3
    assert len({said.objects for said in ready}) >= 3
    assert len({said.text for said in CLIPS[scene.name].expressions}) == len(scene.expressions)


def test_ways_start_and_stop_softly_at_their_points():
    assert np.array_equal(along(0.3, 4), np.full(4, 0.3))
    way = along(((0.25, 1.0), (0.75, 3.0)), 101)
    assert np.all(way[:26] == 1)
    assert np.all(way[75:] == 3)
    assert way[50] == pytest.approx(2)
    assert np.all(np.diff(way) >= 0)
    assert way[26] - way[25] < 0.1 * (way[51] - way[50])


def test_written_scenes_are_read_back(tmp_path):
    (path,) = write_scenes(tmp_path, [HIDE_AND_SEEK], video=True)
    clip, name = CLIPS[HIDE_AND_SEEK.name], HIDE_AND_SEEK.name
    with Clip.open(path) as video:
        assert (path.stem, len(video), video.height, video.width) == (name, HIDE_AND_SEEK.frames, *SIZE)
    star = next(o for o in davis.read(tmp_path, name).objects if o.id == 3)
    assert all(np.array_equal(star.masks[t], mask) for t, mask in enumerate(clip.masks[2]))
    (table,) = json.loads((tmp_path / "expressions.json").read_text()).values()
    assert [said["text"] for said in table["expressions"]] == [said.text for said in clip.expressions]


class Finder:
    """An engine that finds exactly what is meant, but nothing for texts with `blind` in them."""

    def __init__(self, scene, blind):
        self.clip, self.blind = CLIPS[scene.name], blind

    def propose(self, clip, text):
        said = next(said for said in self.clip.expressions if said.text == text)
        truth = target_masks(self.clip, said) & (self.blind not in text)
        yield Proposed(SimpleNamespace(mask=lambda frame: truth[frame]))

    def free(self):
        pass


def test_checking_scores_what_was_found(monkeypatch, capsys):
    finder = Finder(SIZES, "cross")
    found = [event for event in check(finder, [SIZES], ready_only=False) if isinstance(event, Checked)]
    assert [event.expression for event in found] == list(CLIPS[SIZES.name].expressions)
    assert {event.expression.text for event in found if event.ready} == set(SIZES.ready)
    for event in found:
        assert (event.j, event.f, event.good) == ((0, 0, False) if "cross" in event.expression.text else (1, 1, True))


@pytest.mark.parametrize(("blind", "code"), [("cross", 1), ("moves down", 0), ("nothing", 0)])
def test_the_command_fails_when_a_ready_expression_is_not_found(blind, code, monkeypatch, capsys):
    monkeypatch.setattr("decaf_gui.pipeline.engine.Engine", lambda: Finder(SIZES, blind))
    monkeypatch.setattr(module, "SCENES", (SIZES,))
    monkeypatch.setattr("sys.argv", ["scenes", "--check", "--all"])
    assert module.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(SIZES.expressions)
    assert sum("below 0.7" in line for line in lines) == sum(blind in text for _, text, _ in SIZES.expressions)
    assert sum("  ready" in line for line in lines) == len(SIZES.ready)


def test_the_bundled_models_find_what_the_first_scene_offers_first():
    first = replace(CROSSING, ready=CROSSING.ready[:2])
    found = [event for event in check(Engine(), [first]) if isinstance(event, Checked)]
    assert [event.expression.text for event in found] == list(first.ready)
    assert [event.expression.text for event in found if not event.good] == []
