"""Clocks and memory: what was taken is seen."""

from __future__ import annotations

import time

import torch

from decaf_gui.bench.measure import MIB, alternate, extra_memory, fresh, machine, threads


def test_peak_memory_of_a_fresh_process_sees_what_it_took():
    small, large = (fresh(_take, mib) for mib in (8, 264))
    assert 230 <= (large - small) / MIB <= 290


def _take(mib: int) -> int:
    return extra_memory(lambda: bytearray(b"x") * (mib * MIB))


def test_ways_take_turns_and_the_median_is_given():
    order = []

    def way(name, pauses):
        def work():
            order.append(name)
            time.sleep(next(pauses))

        return work

    taken = alternate({"a": way("a", iter((0.0, 0.3, 0.03))), "b": way("b", iter((0.0, 0.0, 0.0)))}, 3)
    assert order == ["a", "b"] * 3
    assert 0.03 <= taken["a"] < 0.3, "one slow round is not the median"
    assert taken["b"] < 0.03


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_machine_names_no_file_and_no_host():
    found = machine("cpu")
    assert found["device"] == "cpu"
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
