"""Rollout of one row against the dense recursion written out with N x N matrices."""

from __future__ import annotations

import pytest
import torch
from dense import dense_rollout
from hypothesis import given, settings
from hypothesis import strategies as st

from decaf_gui.grounding import rollout
from decaf_gui.grounding.rollout import KnownMaxima, LayerQk, roll_layer, rollout_row, unit_row


def random_layers(seed: int, layers: int, heads: int, kv: int, n: int, d: int):
    g = torch.Generator().manual_seed(seed)
    qs = [torch.randn(heads, n, d, generator=g) * 2 for _ in range(layers)]
    ks = [torch.randn(kv, n, d, generator=g) for _ in range(layers)]
    return qs, ks


@pytest.mark.parametrize("method", ["vmax", "max", "plain"])
@given(
    seed=st.integers(0, 10_000),
    layers=st.integers(1, 4),
    groups=st.sampled_from([(4, 4), (4, 2), (6, 3), (4, 1)]),
    n=st.integers(2, 70),
    block=st.sampled_from([1, 1 << 14, 1 << 30]),
)
@settings(max_examples=25, deadline=None)
def test_row_equals_dense_recursion(method, seed, layers, groups, n, block):
    qs, ks = random_layers(seed, layers, *groups, n, 8)
    first = seed % n
    visual = (first, first + 1 + (seed // 7) % (n - first))
    before, rollout.BLOCK_BYTES = rollout.BLOCK_BYTES, {"cpu": block}
    try:
        row = rollout_row(qs, ks, 8**-0.5, visual, method)
    finally:
        rollout.BLOCK_BYTES = before
    expected = dense_rollout(qs, ks, 8**-0.5, visual, method)
    assert row.dtype == torch.float32
    assert (row.double() - expected).abs().max() <= 1e-5 * expected.max()


def test_bfloat16_queries_give_the_float32_rollout_of_their_values():
    qs, ks = random_layers(3, 3, 4, 2, 60, 8)
    qs, ks = [q.bfloat16() for q in qs], [k.bfloat16() for k in ks]
    row = rollout_row(qs, ks, 0.3, (5, 40))
    expected = dense_rollout(qs, ks, 0.3, (5, 40), "vmax")
    assert (row.double() - expected).abs().max() <= 1e-5 * expected.max()


def test_plain_rollout_is_a_distribution_over_tokens():
    qs, ks = random_layers(1, 5, 4, 2, 50, 8)
    assert rollout_row(qs, ks, 0.35, (0, 50), "plain").sum().item() == pytest.approx(1, abs=1e-5)


def test_known_maxima_of_a_prefix_change_nothing(monkeypatch):
    monkeypatch.setattr(rollout, "BLOCK_BYTES", {"cpu": 1})  # blocks of 16 rows
    qs, ks = random_layers(2, 1, 4, 2, 80, 8)
    layer = LayerQk(qs[0], ks[0], 0.4)
    row = unit_row(80, torch.device("cpu"))
    whole, maxima = roll_layer(row, layer, (10, 60), "vmax")
    reused, again = roll_layer(row, layer, (10, 60), "vmax", KnownMaxima(64, maxima[:, :64].sum(1)))
    assert torch.allclose(whole, reused, atol=1e-8)
    assert not torch.equal(maxima, again), "blocks without weight were computed although their maxima were known"


@pytest.mark.parametrize(
    ("heads", "kv", "keys", "visual"), [(4, 3, 20, (0, 5)), (4, 2, 19, (0, 5)), (4, 2, 20, (5, 5)), (4, 2, 20, (0, 21))]
)
def test_shapes_that_do_not_fit_are_refused(heads, kv, keys, visual):
    with pytest.raises(ValueError):
        rollout_row([torch.zeros(heads, 20, 4)], [torch.zeros(kv, keys, 4)], 1.0, visual)
