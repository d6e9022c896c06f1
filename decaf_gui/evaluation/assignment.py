"""The best one-to-one assignment of rows to columns (the Hungarian method), for matching proposals to objects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_assignment(scores: NDArray[np.float64]) -> tuple[int, ...]:
    """For every row of `scores` (rows, columns), rows <= columns, the column that it gets.

    No two rows share a column and the sum of the chosen scores is the greatest there is. Kuhn's method with
    potentials by shortest augmenting paths: rows^2 * columns steps.
    """
    rows, columns = scores.shape
    if rows > columns:
        raise ValueError(f"{rows} rows cannot each get one of {columns} columns.")
    costs = np.zeros((rows + 1, columns + 1))
    costs[1:, 1:] = -scores
    row_potential, column_potential = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, int)  # the row of each column; row 0 and column 0 stand for "none"
    for row in range(1, rows + 1):
        owner[0] = row
        last, came_from = _augment(costs, row_potential, column_potential, owner)
        while last:
            owner[last] = owner[came_from[last]]
            last = int(came_from[last])
    column_of = {int(owner[column]): column - 1 for column in range(1, columns + 1)}
    return tuple(column_of[row] for row in range(1, rows + 1))


def _augment(
    costs: NDArray[np.float64],
    row_potential: NDArray[np.float64],
    column_potential: NDArray[np.float64],
    owner: NDArray[np.int_],
) -> tuple[int, NDArray[np.int_]]:
    """The shortest path from column 0's row to a free column, and each column's predecessor on it.

    Changes the potentials so that reduced costs stay non-negative.
    """
    columns = costs.shape[1]
    shortest, came_from = np.full(columns, np.inf), np.zeros(columns, int)
    done = np.zeros(columns, bool)
    column = 0
    while owner[column]:
        done[column] = True
        row = owner[column]
        reduced = costs[row] - row_potential[row] - column_potential
        better = ~done & (reduced < shortest)
        shortest[better], came_from[better] = reduced[better], column
        following = int(np.argmin(np.where(done, np.inf, shortest)))
        step = shortest[following]
        row_potential[owner[done]] += step
        column_potential[done] -= step
        shortest[~done] -= step
        column = following
    return column, came_from
