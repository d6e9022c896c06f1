"""The assignment against trying every permutation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from decaf_gui.evaluation.assignment import best_assignment

TABLES = st.tuples(st.integers(0, 4), st.integers(0, 2)).flatmap(
    lambda size: hnp.arrays(np.float64, (size[0], sum(size)), elements=st.integers(-8, 8).map(lambda i: i / 8))
)


@given(scores=TABLES)
def test_no_permutation_scores_higher(scores):
    rows, columns = scores.shape
    found = best_assignment(scores)
    assert len(set(found)) == rows
    best = max(sum(scores[r, c] for r, c in enumerate(p)) for p in permutations(range(columns), rows))
    assert sum(scores[r, c] for r, c in enumerate(found)) == pytest.approx(best)


def test_more_rows_than_columns_are_refused():
    with pytest.raises(ValueError, match="3 rows"):
        best_assignment(np.zeros((3, 2)))
