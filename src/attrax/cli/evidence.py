"""How sure it is that a damaged picture is one of the clean ones."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

# So many clean pictures are tried as strangers to the others.
_STRANGERS = 32
# A match is sure from here on.
SURE = 0.95


class Views(NamedTuple):
    """Pictures as they are, and their differences from pixel to pixel, each of shape (n, d)."""

    raw: Float[np.ndarray, "n d"]
    edges: Float[np.ndarray, "n e"]


class Evidence:
    """Compares damaged pictures with clean ones by how well each explains what is seen.

    `found.confidence` of `attrax.retrieve` knows of scores alone, and so serves rows of any kind.
    Where half of a picture is black and no mask says so, it is hardly ever sure; neighbouring
    pixels tell more.

    If a damaged picture is a x + b + noise, with the gain a, the offset b and the noise unknown,
    the logarithm of the likelihood ratio of x and nothing is −n/2 ln(1 − r²), with the
    correlation r over n independent pixels. n is smaller than the number of pixels where what
    remains is smooth. The same is done for differences of neighbouring pixels, which a covered
    part disturbs only along its edge; the view in which the best picture leads by more counts.
    A lead must also be larger than that of strangers: clean pictures that are compared with the
    other ones.

    **Arguments:**

    - `x`: the clean pictures, shape (n, d).
    - `shape`: of one picture, (H, W) or (3, H, W).
    """

    def __init__(self, x: Float[np.ndarray, "n d"], shape: tuple[int, ...]):
        self._shape = shape
        self._views = Views(x, _edges(x, shape))
        count = len(x)
        leads = []
        for i in np.unique(np.linspace(0, count - 1, min(_STRANGERS, count)).astype(int)):
            logs = self._logs(x[i], None)
            others = np.delete(logs, i, axis=1)
            leads.append(max(map(_lead, others)))
        self._leads = np.array(leads if count > 2 else [0.0])

    def judge(
        self, query: Float[np.ndarray, " d"], known: Bool[np.ndarray, " d"] | None, index: int
    ) -> float:
        """How sure a clean picture is for a damaged one, from 0 to 1.

        It is the picture's probability, times the share of strangers that lead by less.
        """
        logs = max(self._logs(query, known), key=_lead)
        prior = math.log(len(logs)) + 0.5 * math.log(max(self._pixels(known), 2))
        odds = np.concatenate([logs - prior, [0.0]])
        weights = np.exp(odds - odds.max())
        return float(weights[index] / weights.sum() * np.mean(self._leads < _lead(logs)))

    def _pixels(self, known: Bool[np.ndarray, " d"] | None) -> float:
        """How many pixels are compared, a coloured one counting once."""
        size = math.prod(self._shape) if known is None else int(known.sum())
        return size / (self._shape[0] if len(self._shape) == 3 else 1)

    def _logs(
        self, query: Float[np.ndarray, " d"], known: Bool[np.ndarray, " d"] | None
    ) -> Float[np.ndarray, "2 n"]:
        """The logarithms of the likelihood ratios, in both views."""
        query = query if known is None else np.where(known, query, np.nan)
        edges = _edges(query[None], self._shape)[0]
        pixels = self._pixels(known)
        raw, rest = _correlations(self._views.raw, query)
        smooth = _smoothness(rest.reshape(self._shape))
        return np.stack(
            [
                _log_ratio(raw, pixels * smooth),
                # Neighbouring differences share a pixel.
                _log_ratio(_correlations(self._views.edges, edges)[0], pixels / 4),
            ]
        )


def _log_ratio(r: Float[np.ndarray, " n"], count: float) -> Float[np.ndarray, " n"]:
    r = np.clip(r, 0, 1 - 1e-6)
    return -0.5 * max(count - 2, 0) * np.log1p(-(r**2))


def _lead(logs: Float[np.ndarray, " n"]) -> float:
    if len(logs) == 1:
        return float(logs[0])
    second, first = np.partition(logs, -2)[-2:]
    return float(first - second)


def _correlations(
    rows: Float[np.ndarray, "n d"], query: Float[np.ndarray, " d"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " d"]]:
    """The correlation of each row with a query, NaN left out; and what the best leaves over."""
    there = np.isfinite(query)
    seen = query[there].astype(np.float64)
    seen = seen - seen.mean()
    some = rows if there.all() else rows[:, there]
    some = some - some.mean(axis=1, keepdims=True, dtype=np.float64).astype(some.dtype)
    norms = np.linalg.norm(some, axis=1).astype(np.float64)
    length = float(np.linalg.norm(seen))
    products = (some @ seen.astype(some.dtype)).astype(np.float64)
    r = products / np.maximum(norms * length, 1e-12)
    best = int(np.argmax(r))
    gain = products[best] / max(norms[best] ** 2, 1e-12)
    rest = np.full(query.shape, np.nan)
    rest[there] = seen - gain * some[best]
    return r, rest


def _smoothness(rest: Float[np.ndarray, "..."]) -> float:
    """The share of pixels that are independent, from the correlation of neighbours."""
    share = 1.0
    for axis in (-1, -2):
        moved = np.moveaxis(rest, axis, 0)
        left, right = moved[:-1], moved[1:]
        both = np.isfinite(left) & np.isfinite(right)
        power = 0.5 * np.sum(left[both] ** 2 + right[both] ** 2)
        if power > 0:
            rho = float(np.clip(np.sum(left[both] * right[both]) / power, 0, 0.99))
            share *= (1 - rho) / (1 + rho)
    return share


def _edges(rows: Float[np.ndarray, "n d"], shape: tuple[int, ...]) -> Float[np.ndarray, "n e"]:
    images = rows.reshape(len(rows), *shape)
    parts = [np.diff(images, axis=axis).reshape(len(rows), -1) for axis in (-1, -2)]
    return np.concatenate(parts, axis=1)
