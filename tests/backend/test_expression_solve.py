"""The keys that a face shows, against SciPy's solver and by closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from backend.expressions.evidence import N_POINTS, evidence
from backend.expressions.solve import bounded_least_squares

RNG = np.random.default_rng(3)


def test_the_answer_is_that_of_another_solver() -> None:
    design = RNG.normal(size=(40, 12)) @ (np.eye(12) + 0.4)
    data = RNG.normal(size=(30, 40)) * 3
    found = bounded_least_squares(
        design.T @ design, data @ design, np.full(12, -0.2), np.full(12, 1.0)
    )
    for row, answer in zip(data, found, strict=True):
        expected = lsq_linear(design, row, bounds=(-0.2, 1.0), tol=1e-12).x
        np.testing.assert_allclose(answer, expected, atol=0.01)


def test_equal_bounds_give_a_value_and_the_others_make_the_best_of_it() -> None:
    gram = np.array([[1.0, 0.5], [0.5, 1.0]])
    known = np.array([[0.4], [0.8]])
    lower = np.hstack([known, [[0.0], [0.0]]])
    upper = np.hstack([known, [[1.0], [1.0]]])
    found = bounded_least_squares(gram, np.array([[0.0, 0.6], [0.0, 0.6]]), lower, upper)
    np.testing.assert_allclose(found, [[0.4, 0.4], [0.8, 0.2]], atol=1e-6)


@pytest.mark.parametrize(("wanted", "expected"), [(0.5, 0.4), (0.08, 0.0), (3.0, 1.0)])
def test_a_cost_takes_a_little_from_each_key(wanted: float, expected: float) -> None:
    found = bounded_least_squares(np.eye(1), np.array([[wanted]]), np.zeros(1), np.ones(1), 0.1)
    assert found[0, 0] == pytest.approx(expected)


def test_evidence_of_lids_counts_their_distance_and_not_their_common_shift() -> None:
    rows = evidence(np.ones(N_POINTS, bool))
    both, apart = np.zeros((2, N_POINTS, 3))
    both[[159, 145], 1] = 1
    apart[159, 1], apart[145, 1] = 1, -1
    count = {name: np.sum((rows @ moved.ravel()) ** 2) for name, moved in
             (("both", both), ("apart", apart))}  # fmt: skip
    assert count["apart"] > 5 * count["both"] > 0


def test_points_without_a_place_tell_nothing() -> None:
    reliable = np.ones(N_POINTS, bool)
    reliable[[159, 300]] = False
    rows = evidence(reliable)
    moved = np.zeros((N_POINTS, 3))
    moved[[159, 300]] = 100
    assert not (rows @ moved.ravel()).any()
