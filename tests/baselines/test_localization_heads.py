"""Measures of heads on closed forms, exclusion, ranking, the file, and discovery on the demo model."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from baseline_cases import finish, shapes_pair
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui import Engine
from decaf_gui.baselines.heads import Heads, Measured, edge_shares, knee, measure, rank, spatial_entropy
from decaf_gui.baselines.loc_head import HeadsFound, Pair, combine, discover_heads, pair_maps
from decaf_gui.baselines.settings import LocHeadSettings, MethodSettings, edges_of
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage

HEADS = Heads("demo", "ab" * 32, 5, 6, ((1, 3), (0, 0)), (7, 5), 20)


def blobs(*places: tuple[int, int, int, int], value: float = 0.1) -> np.ndarray:
    found = np.zeros((1, 8, 10), np.float32)
    for top, left, height, width in places:
        found[0, top : top + height, left : left + width] = value
    return found


def test_uniform_map_has_no_region():
    assert spatial_entropy(np.full((1, 6, 6), 1 / 36, np.float32)) == math.inf
    assert spatial_entropy(np.zeros((1, 6, 6), np.float32)) == math.inf


def test_one_cell_or_one_blob_is_not_scattered():
    assert spatial_entropy(blobs((3, 4, 1, 1))) == 0
    assert spatial_entropy(blobs((2, 2, 3, 4))) == 0
    assert spatial_entropy(blobs((2, 2, 2, 2), (4, 4, 2, 2))) == 0  # they touch at a corner


@pytest.mark.parametrize("count", [2, 3, 4])
def test_equal_blobs_have_the_logarithm_of_their_count(count):
    places = [(0, 0, 2, 2), (0, 5, 2, 2), (5, 0, 2, 2), (5, 5, 2, 2)][:count]
    assert spatial_entropy(blobs(*places)) == pytest.approx(math.log(count))


def test_unequal_blobs_weigh_by_what_lies_above_the_mean():
    found = blobs((0, 0, 1, 1)) + blobs((5, 5, 1, 3))
    assert spatial_entropy(found) == pytest.approx(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75)))


def test_regions_of_two_frames_do_not_touch():
    found = np.concatenate([blobs((2, 2, 2, 2)), blobs((2, 2, 2, 2))])
    assert spatial_entropy(found) == pytest.approx(math.log(2))


def test_edges_share_what_lies_on_them():
    found = blobs((7, 0, 1, 10)) + blobs((0, 9, 8, 1))
    bottom, right, left, top = edge_shares(found, ("bottom", "right", "left", "top"))
    assert (bottom, right) == (pytest.approx(11 / 18), pytest.approx(9 / 18))
    assert (left, top) == (pytest.approx(1 / 18), pytest.approx(1 / 18))
    assert edge_shares(np.zeros((1, 3, 3)), ("bottom",)).tolist() == [0]


def test_heads_that_look_mostly_at_an_edge_are_excluded():
    maps = np.stack([blobs((7, 2, 1, 4)), blobs((2, 9, 4, 1)), blobs((2, 0, 4, 1)), blobs((2, 3, 3, 3))])[None]
    for edges, expected in {
        ("bottom",): [True, False, False, False],
        ("right",): [False, True, False, False],
        ("bottom", "left"): [True, False, True, False],
        (): [False, False, False, False],
    }.items():
        assert measure(maps, edges, LocHeadSettings()).at_edge[0].tolist() == expected
    assert not measure(maps, ("bottom",), LocHeadSettings(edge_share=1.0)).at_edge.any()


def test_edges_follow_the_family():
    assert edges_of("qwen2_vl") == ("right",)
    assert edges_of("llava_onevision") == ("bottom", "left")
    assert edges_of("qwen2_5_vl") == edges_of("internvl") == ("bottom",)


def test_knee_is_where_the_curve_begins_to_rise():
    assert knee(np.array([0.0, 0.9, 0.01, 0.02, 0.03, 0.5])) == 0.03
    assert knee(np.array([0.4, 0.4, 0.4])) == 0.4
    assert knee(np.array([0.3])) == 0.3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_knee_is_one_of_the_values_so_that_the_best_always_stays(values):
    found = knee(np.array(values))
    assert found in values
    assert max(values) >= found


def measured(sums, entropies, at_edge=(False, False, False, False)) -> Measured:
    return Measured(np.array([sums]), np.array([entropies]), np.array([at_edge]))


def test_ranking_counts_the_lowest_entropies_of_heads_with_enough_attention():
    settings = LocHeadSettings(lowest=1, min_sum=0.2)
    pairs = [
        measured([0.5, 0.5, 0.1, 0.5], [1.0, 2.0, 0.0, 3.0]),
        measured([0.5, 0.5, 0.1, 0.5], [1.0, 0.5, 0.0, 3.0]),
        measured([0.5, 0.5, 0.1, 0.5], [1.0, 0.5, 0.0, 0.1], (False, False, False, True)),
        measured([0.5, 0.5, 0.1, 0.5], [math.inf] * 4),
    ]
    assert rank(pairs, settings) == [((0, 1), 2), ((0, 0), 1)]


def test_heads_with_too_little_attention_on_average_are_no_candidates():
    settings = LocHeadSettings(lowest=4, min_sum=0.3)
    pairs = [measured([0.9, 0.5, 0.0, 0.2], [1.0] * 4), measured([0.0, 0.5, 0.5, 0.2], [1.0] * 4)]
    assert {head for head, _ in rank(pairs, settings)} == {(0, 0), (0, 1)}


def test_maps_are_smoothed_and_summed():
    maps = np.random.default_rng(0).random((3, 2, 6, 7), dtype=np.float32)
    expected = sum(
        cv2.GaussianBlur(one, (7, 7), 1.0, borderType=cv2.BORDER_CONSTANT) for one in maps.transpose(0, 2, 3, 1)
    )
    assert np.allclose(combine(maps, LocHeadSettings()), expected.transpose(2, 0, 1), atol=1e-6)


# --- the file ----------------------------------------------------------------------------------------------------


def test_heads_come_back_from_their_file(tmp_path):
    path = HEADS.save(tmp_path / "new" / "heads.json")
    assert Heads.load(path) == HEADS
    assert [p.name for p in path.parent.iterdir()] == ["heads.json"]


def test_heads_of_other_weights_are_refused_in_one_line():
    HEADS.check("demo", HEADS.weights)
    with pytest.raises(BadInput, match=r"found in demo .*the model is other") as caught:
        HEADS.check("other", "cd" * 32)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "something"}, "no file of localization heads"),
        ({"heads": [[9, 0]], "counts": [1]}, "no head"),
        ({"heads": [[0, 0]], "counts": []}, "no heads, or not one count"),
        ({"heads": 5}, "damaged"),
        ({"heads": [[0]]}, "damaged"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, message):
    path = HEADS.save(tmp_path / "heads.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInput, match=message):
        Heads.load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_what_is_no_heads_file_is_refused(tmp_path, text):
    path = tmp_path / "heads.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="no file of localization heads"):
        Heads.load(path)
    with pytest.raises(BadInput, match="cannot be read"):
        Heads.load(tmp_path / "missing.json")


# --- discovery ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine():
    return Engine()


def test_discovered_heads_look_at_the_picture_more_than_most(engine):
    """The first criterion, on sums that are taken here. Where they point is not promised: the method is published so.

    With the demo model of before the found heads pointed better than the mean of all, with this one worse.
    """
    settings = MethodSettings()
    pairs = [shapes_pair(seed)[0] for seed in range(700, 720)]
    *stages, last = discover_heads(engine, pairs, settings)
    assert all(isinstance(event, Stage) for event in stages)
    assert isinstance(last, HeadsFound)
    assert last.heads.pairs == 20
    assert last.heads.weights == engine.provenance(("mllm",))["mllm"]["weights"]
    assert list(last.heads.counts) == sorted(last.heads.counts, reverse=True)
    grounding = engine.resolved(settings.pipeline).grounding
    looked = [finish(pair_maps(engine.mllm, pair, grounding, settings.loc_head.asked)) for pair in pairs]
    sums = np.mean([maps.reshape(*maps.shape[:2], -1).sum(-1) for maps in looked], axis=0)
    assert sums.shape == (last.heads.layers, last.heads.per_layer)
    assert min(sums[head] for head in last.heads.heads) > np.median(sums)


def test_pairs_are_needed_and_heads_must_pass(engine):
    with pytest.raises(BadInput, match="at least one"):
        discover_heads(engine, [])
    pair = shapes_pair(700)[0]
    hopeless = MethodSettings(loc_head=LocHeadSettings(min_sum=1.0, excess=1.0))
    with pytest.raises(BadInput, match="No head passes"):
        list(discover_heads(engine, [pair], hopeless))


def test_pictures_are_told_apart_by_their_pixels(engine):
    first, second = (shapes_pair(seed)[0] for seed in (700, 701))
    grounding = engine.resolved(MethodSettings().pipeline).grounding
    a, b = (
        finish(pair_maps(engine.mllm, Pair(p.image, "the red shape"), grounding, "object")) for p in (first, second)
    )
    again = finish(pair_maps(engine.mllm, Pair(first.image.copy(), "the red shape"), grounding, "object"))
    assert np.array_equal(a, again)
    assert not np.array_equal(a, b)


@pytest.mark.parametrize("wrong", [{"heads": 0}, {"lowest": 0}, {"kernel": 4}, {"sigma": 0.0}, {"edge_share": 2.0}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        replace(LocHeadSettings(), **wrong)
