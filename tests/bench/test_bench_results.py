"""What benchmarks say and how it is written down; which benchmarks there are."""

from __future__ import annotations

import importlib

import pytest

from decaf_gui.bench.results import BENCHMARKS, Options, Result, Target, check_names
from decaf_gui.core.errors import BadInput


def test_a_promise_is_kept_up_to_its_limit():
    assert Target("faster", 5.0, 5).met
    assert not Target("faster", 4.9, 5).met
    assert Target("memory", 0.2, 0.2, at_most=True).met
    assert not Target("memory", 0.21, 0.2, at_most=True).met
    assert "MISSED" in str(Target("faster", 4.9, 5))


def test_rows_get_their_columns_names():
    result = Result("x", "title", ("a", "b s"), ((1, 2.5), ("y", None)), (Target("t", 1, 2),))
    made = result.as_dict()
    assert made["rows"] == [{"a": 1, "b s": 2.5}, {"a": "y", "b s": None}]
    assert made["targets"] == [{"what": "t", "value": 1, "limit": 2, "at_most": False, "met": False}]


def test_no_name_means_all_and_unknown_names_are_refused():
    assert check_names([]) == list(BENCHMARKS)
    assert check_names(["click", "rollout", "click"]) == ["click", "rollout"]
    with pytest.raises(BadInput, match=r'"speed".*rollout'):
        check_names(["rollout", "speed"])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_its_module(name):
    events = importlib.import_module(f"decaf_gui.bench.{name}").run(Options(quick=True))
    events.close()
