"""The rollout with gradients against the one without, and its gradients against N x N matrices."""

from __future__ import annotations

import pytest
import torch
from steering_cases import Peak

from dense import dense_rollout  # isort: skip

from decaf_gui.grounding.rollout import LayerQk, rollout_row
from decaf_gui.steering.rolling import rolled_row

SPAN = (5, 40)


def random_layers(n: int, layers: int = 3, heads: int = 4, kv: int = 2, d: int = 8, dtype=torch.float64):
    generator = torch.Generator().manual_seed(n)
    qs = [torch.randn(heads, n, d, generator=generator, dtype=dtype).requires_grad_() for _ in range(layers)]
    ks = [torch.randn(kv, n, d, generator=generator, dtype=dtype).requires_grad_() for _ in range(layers)]
    return qs, ks


def rolled(qs, ks, chunk_bytes, method="vmax"):
    return rolled_row([LayerQk(q, k, 0.4) for q, k in zip(qs, ks, strict=True)], SPAN, chunk_bytes, method)


@pytest.mark.parametrize("method", ["vmax", "max", "plain"])
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 15, 1 << 30])
def test_gradients_equal_those_through_dense_matrices(method, chunk_bytes):
    qs, ks = random_layers(60)
    weights = torch.rand(60, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.autograd.grad((dense_rollout(qs, ks, 0.4, SPAN, method) * weights).sum(), [*qs, *ks])
    row = rolled(qs, ks, chunk_bytes, method)
    found = torch.autograd.grad((row * weights).sum(), [*qs, *ks])
    assert row.dtype == torch.float64
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= 1e-6 * other.abs().max()
        assert other.abs().max() > 0


def test_the_row_is_the_one_that_grounding_reads():
    qs, ks = random_layers(70, dtype=torch.float32)
    with torch.no_grad():
        expected = rollout_row(qs, ks, 0.4, SPAN)
    row = rolled(qs, ks, 1 << 12)
    assert row.dtype == torch.float32
    assert (row - expected).abs().max() <= 1e-6 * expected.max()


def test_narrow_queries_are_rolled_out_in_float32():
    qs, ks = random_layers(50, dtype=torch.bfloat16)
    row = rolled(qs, ks, 1 << 12)
    row[: SPAN[1]].sum().backward()
    expected = dense_rollout([q.detach() for q in qs], [k.detach() for k in ks], 0.4, SPAN, "vmax")
    assert row.dtype == torch.float32
    assert qs[0].grad.dtype == torch.bfloat16
    assert (row.detach() - expected).abs().max() <= 1e-5 * expected.max()


def peak_of(n: int) -> int:
    qs, ks = random_layers(n, layers=2, dtype=torch.float32)
    with Peak() as peak:
        rolled(qs, ks, 1 << 16)[:40].sum().backward()
    return peak.most


def test_memory_is_linear_in_tokens():
    """Dense, four times the tokens take sixteen times the memory: here four times, plus the chunks' own."""
    short, long = peak_of(256), peak_of(1024)
    assert long < 4.5 * short
    assert long < 4 * 1024 * 1024 * 4, "less than one dense attention of a layer"
