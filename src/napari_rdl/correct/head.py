"""A softmax head beside the model's own answer: it starts as nothing and departs no further than it must."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.floating]


def fit_head(
    features: Floats,
    offsets: Floats,
    classes: NDArray[np.integer],
    weights: Floats,
    ridge: float,
    *,
    steps: int = 60,
) -> NDArray[np.float64]:
    """Fit W (F, J) so that ``softmax(offsets + features @ W)`` says `classes`.

    The least of ``sum w_i cross_entropy_i / sum w_i + ridge / 2 |W|^2``: convex, so that what is found does
    not depend on where the search begins. Without evidence W is 0, and the model's own answer stands.

    Parameters
    ----------
    features : ndarray, shape (n, F)
    offsets : ndarray, shape (n, J)
        The model's own logits.
    classes : ndarray of int, shape (n,)
        What is right.
    weights : ndarray, shape (n,)
        How much each one counts.
    ridge : float
    steps : int
        The most that L-BFGS may take.
    """
    number, width, count = len(features), features.shape[1], offsets.shape[1]
    features = np.asarray(features, np.float64)
    share = np.asarray(weights, np.float64) / max(float(np.sum(weights)), 1e-12)
    rows = np.arange(number)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        matrix = flat.reshape(width, count)
        logits = offsets + features @ matrix
        logits = logits - logits.max(1, keepdims=True)
        wrong = np.exp(logits)
        total = wrong.sum(1, keepdims=True)
        said = logits[rows, classes] - np.log(total[:, 0])
        wrong /= total
        wrong[rows, classes] -= 1
        slope = features.T @ (wrong * share[:, None]) + ridge * matrix
        value = -float(share @ said) + ridge / 2 * float(flat @ flat)
        return value, slope.ravel()

    found = minimize(
        loss, np.zeros(width * count), jac=True, method="L-BFGS-B", options={"maxiter": steps, "ftol": 1e-6}
    )
    return np.asarray(found.x, np.float64).reshape(width, count)
