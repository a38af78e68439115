"""Probabilities from a handful of features: logistic regression, and how well its probabilities are kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "weights" / "confidence.json"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Logistic:
    """The probability of a yes, by features.

    Attributes:
        names: of the features.
        mean: of each feature where it was fitted; a missing (NaN) one is taken for that.
        scale: standard deviation of each.
        weights: of the features less `mean`, in units of `scale`.
        bias: log odds where all features are usual.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def __call__(self, features: Array) -> Array:
        """Probabilities ``[N]`` for features ``[N, F]``."""
        z = _standard(features, np.array(self.mean), np.array(self.scale))
        return _sigmoid(z @ np.array(self.weights) + self.bias)

    def of(self, features: dict[str, float]) -> float:
        """The probability for features by name; those that are not asked for are passed over."""
        return float(self(np.array([[features[name] for name in self.names]]))[0])


def fit(names: tuple[str, ...], features: Array, yes: Array, ridge: float = 1.0, steps: int = 50) -> Logistic:
    """The logistic regression of greatest penalised likelihood, by Newton's method.

    Args:
        names: of the features.
        features: ``[N, F]``; missing ones are NaN.
        yes: ``[N]`` of 0 and 1, or probabilities.
        ridge: half of it, times the squared weights of standardised features, is the penalty.
        steps: of Newton, at most.

    Raises:
        ValueError: shapes do not fit together.
    """
    if features.shape != (len(yes), len(names)):
        raise ValueError(f"features have shape {list(features.shape)}, wanted {[len(yes), len(names)]}")
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, features - mean, 0) ** 2).sum(axis=0) / count)
    scale = np.where(spread > 1e-9, spread, 1.0)
    z = np.c_[_standard(features, mean, scale), np.ones(len(yes))]
    penalty = np.diag([ridge] * len(names) + [1e-9])
    w = np.zeros(len(names) + 1)
    for _ in range(steps):
        p = _sigmoid(z @ w)
        gradient = z.T @ (p - yes) + penalty @ w
        step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + penalty, gradient)
        w = w - step
        if np.abs(step).max() < 1e-10:
            break
    usual, unit, weights = (tuple(values.tolist()) for values in (mean, scale, w[:-1]))
    return Logistic(tuple(names), usual, unit, weights, float(w[-1]))


def reliability(
    probability: Array, yes: Array, bins: int = 5
) -> tuple[list[tuple[float, float, int]], float]:
    """How often what is said with some probability is so.

    Args:
        probability: ``[N]`` that was said.
        yes: ``[N]`` of 0 and 1.
        bins: of equal width.

    Returns:
        For each bin that is not empty the mean probability, the share of yes and how many they are; and the
        expected calibration error (Naeini et al. 2015), the mean difference of the two, weighted by how many.
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    table = [
        (float(probability[place == n].mean()), float(yes[place == n].mean()), int((place == n).sum()))
        for n in range(bins)
        if (place == n).any()
    ]
    return table, sum(abs(said - is_so) * count for said, is_so, count in table) / max(len(yes), 1)


def write(models: dict[str, Logistic], path: Path = WEIGHTS) -> None:
    """Write models as JSON, rounded to six digits."""
    text = json.dumps({name: _rounded(asdict(model)) for name, model in models.items()}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


@lru_cache(maxsize=4)
def read(path: Path = WEIGHTS) -> dict[str, Logistic]:
    """The models in a file that `write` wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: Logistic(
            names=tuple(row["names"]),
            mean=tuple(row["mean"]),
            scale=tuple(row["scale"]),
            weights=tuple(row["weights"]),
            bias=row["bias"],
        )
        for name, row in stored.items()
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return value if isinstance(value, str) else float(f"{value:.6g}")


def _standard(features: Array, mean: Array, scale: Array) -> Array:
    return np.nan_to_num((features - mean) / scale)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -500, 500))))
