"""A ridge-penalised fractional logit, debiased, with what each row contributes to each coefficient.

One model for everything bounded: a rating as a share of its range, or yes and no (Papke & Wooldridge 1996). Unlike a
straight line it doesn't promise gains beyond the best rating, and its effects are read off in the outcome's units.

The penalty gives rare and overlapping topics a finite answer, and pulls towards zero. Repeated Newton steps on the
unpenalised likelihood from the penalised estimate take that pull back (iterated Tikhonov): what h rows' worth of
information support keeps λ/(h+λ) of its bias after no step and that to the power of the steps plus one after them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from nlp.drivers.roles import Floats

PENALTY = 0.5
"""A normal prior with standard deviation √2 on the log-odds of a yes/no column."""
_STEPS = 4
_MOST_LEVERAGE = 0.8


@dataclass(frozen=True)
class Fit:
    """Coefficients and their influence values."""

    coefficients: Floats
    expected: Floats
    """Expected outcome of the rows fitted, strictly between 0 and 1."""
    influence: Floats
    """rows × coefficients: how far each row moves each coefficient; its sum over rows is about zero."""

    def mean(self, matrix: Floats) -> Floats:
        """Expected outcome (0…1) of design rows."""
        return np.asarray(expit(matrix @ self.coefficients), np.float64)


def fit_share(matrix: Floats, outcome: Floats, weights: Floats, penalty: float = PENALTY) -> Fit:
    """Fit ``outcome`` (0…1) on ``matrix`` (rows × columns, the intercept first); ``weights`` have mean 1."""
    rows, columns = matrix.shape
    # The library takes classes: a share is a yes with that weight and a no with the rest.
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-6, max_iter=200)
    yes_no = np.r_[np.ones(rows), np.zeros(rows)]
    model.fit(np.vstack([matrix[:, 1:]] * 2), yes_no, sample_weight=np.r_[weights * outcome, weights * (1 - outcome)])
    coefficients = np.r_[model.intercept_, model.coef_[0]]
    expected = expit(matrix @ coefficients)
    information = (matrix * (weights * expected * (1 - expected))[:, None]).T @ matrix
    pull = np.diag(np.r_[0.0, np.full(columns - 1, penalty)])
    inverse = np.linalg.inv(information + pull)
    response = inverse
    for _ in range(_STEPS):
        score = matrix.T @ (weights * (outcome - expit(matrix @ coefficients)))
        coefficients = coefficients + inverse @ score
        response = inverse + inverse @ pull @ response
    expected = expit(matrix @ coefficients)
    leverage = weights * expected * (1 - expected) * np.einsum("ij,jk,ik->i", matrix, inverse, matrix, optimize=True)
    # A row that pulls the line to itself has too small a residual (HC3).
    residual = weights * (outcome - expected) / (1 - np.minimum(leverage, _MOST_LEVERAGE))
    return Fit(coefficients, np.clip(expected, 1e-4, 1 - 1e-4), (matrix * residual[:, None]) @ response)
