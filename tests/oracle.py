"""What memories answer, by NumPy in long doubles, and how far rounding may take the answer.

Nothing of attrax is used here: scores and weights are written out from their formulas. Each comes
with an error, as a bound on what sums of so many terms lose in the type that they are taken in.
"""

import numpy as np

WIDE = np.longdouble
# What logarithms of ratios about one lose here.
OWN = 16 * np.finfo(WIDE).eps


class Arithmetic:
    """The rounding of a type: `eps` of its sums, `kept` of what is stored, over rows of a width."""

    def __init__(self, eps, kept, width, smallest):
        self.eps, self.kept, self.smallest = WIDE(eps), WIDE(kept), WIDE(smallest)
        # A sum of n terms loses n − 1 roundings, and each term a few of its own.
        self.sum = (width + 8) * self.eps


def total(x):
    return x.sum(-1)


def root(square):
    return np.sqrt(np.maximum(square, 0))


def of_terms(terms, a):
    """A sum whose terms have a relative error."""
    return total(terms), a.sum * total(abs(terms))


def constant(x):
    """Rows whose entries are equal but for rounding are taken for constant, in single precision."""
    return np.ptp(x, axis=-1) <= 4 * WIDE(np.finfo(np.float32).eps) * abs(x).max(-1)


def exactly_constant(x, a):
    return np.ptp(x, axis=-1) <= 4 * a.eps * abs(x).max(-1)


def divided(rows, length):
    return rows / np.where(length == 0, 1, length)[..., None]


def direction(x):
    x = divided(x, abs(x).max(-1))
    return divided(x, root(total(x * x)))


def standard(x, a):
    constant = exactly_constant(x, a)
    # What entries have in common goes first, exactly: 10⁶ of it would cost as many roundings.
    x = x - x[..., :1]
    x = divided(x, abs(x).max(-1))
    x = np.where(constant[..., None], 0, x - x.mean(-1, keepdims=True))
    return direction(x)


def dot(k, q, a):
    return of_terms(k * q, a)


def dot_of_shares(k, q, a):
    whole, sums = total(k) * total(q), a.sum * (total(abs(k)) + 0 * total(k))
    value, error = of_terms(k * q, a)
    apart = whole != 0
    safe = np.where(apart, whole, 1)
    relative = sums / np.where(apart, abs(total(k)), 1) + a.sum * total(abs(q)) / max(
        abs(total(q)), a.smallest
    )
    score = np.where(apart, value / safe, 0)
    return score, np.where(apart, error / abs(safe), 0) + abs(score) * relative


def cosine(k, q, a):
    score = total(direction(k) * direction(q))
    return score, (2 * a.sum + 2 * a.kept) * np.ones_like(score)


def correlation(k, q, a):
    score = total(standard(k, a) * standard(q, a))
    return score, (4 * a.sum + 4 * a.kept) * np.ones_like(score)


def squares(k, q, a):
    return of_terms((k - q) ** 2, a)


def expanded(k, q, a):
    """½ |k|² + ½ |q|² − k·q of rows less the first."""
    value, _ = of_terms((k - q) ** 2, a)
    lengths = root(total((k - k[0]) ** 2)) + root(total((q - k[0]) ** 2))
    # Rows less the first are kept in the type of the rows.
    return value, (a.sum + 4 * a.kept) * lengths**2


def through(pair, function, least=None):
    """A monotone function of a value with an error."""
    value, error = pair
    low = value - error if least is None else np.maximum(value - error, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        new, ends = function(value), (function(low), function(value + error))
        off = np.maximum(*(np.where(end == new, 0, abs(end - new)) for end in ends))
    return new, off


def euclidean(form, exact=False):
    function = {
        "half_square": lambda x: -x / 2,
        "square": lambda x: -x,
        "distance": lambda x: -root(x),
        "reciprocal": lambda x: 1 / x,
    }[form]

    def score(k, q, a, width=None):
        plain = exact or form == "reciprocal" or k.shape[1] <= 16
        return through((squares if plain else expanded)(k, q, a), function, 0)

    return score


def manhattan(k, q, a):
    value, error = of_terms(abs(k - q), a)
    return -value, error


def manhattan_reciprocal(k, q, a):
    return through(of_terms(abs(k - q), a), lambda x: 1 / x, 0)


def minkowski(p):
    def score(k, q, a):
        apart = abs(k - q)
        size = apart.max(-1)
        if p == np.inf:
            return -size, 2 * a.eps * size
        share = divided(apart, size)
        # Each power is of a share with one rounding, which p multiplies.
        return -size * total(share**p) ** (1 / WIDE(p)), (a.sum + 2 * p * a.eps) * size * total(
            share**p
        ) ** (1 / WIDE(p))

    return score


def hamming(k, q, a):
    return -total((k != q).astype(WIDE)), np.zeros(len(k), WIDE)


def shares(x):
    x = divided(x, x.max(-1))
    return divided(x, total(x))


def smooth(p, epsilon):
    return (p + epsilon) / (1 + p.shape[-1] * WIDE(epsilon))


def entropic(p, r):
    """The terms p ln(p/r), 0 at p = 0."""
    there = p > 0
    return np.where(there, p * np.log(np.where(there, p, 1) / np.where(r > 0, r, 1)), 0)


def moved(p, r):
    """How much KL(p ‖ r) changes where every share changes by its own relative amount."""
    return total(abs(entropic(p, r)) + abs(p - r))


def kullback_leibler(reverse):
    def score(k, q, a):
        k, q = smooth(shares(k), 1e-4), smooth(shares(q), 1e-4)
        p, r = (np.broadcast_to(q, k.shape), k) if reverse else (k, np.broadcast_to(q, k.shape))
        origin = np.broadcast_to(k[0], k.shape)
        third = total(abs((p - origin) * np.log(r / origin)))
        room = moved(p, r) + moved(p, origin) + moved(origin, r) + third
        return -total(entropic(p, r)), 2 * a.sum * room + OWN + a.sum**2

    return score


def coded(reverse):
    """Σ k (ln(k + ε) − ln(q + ε))."""

    def divergence(k, q, a):
        k, q = shares(k), shares(q)
        if reverse:
            k, q = np.broadcast_to(q, k.shape), k
        own, other = k * np.log(k + WIDE(1e-4)), k * np.log(q + WIDE(1e-4))
        error = 2 * a.sum * total(abs(own) + abs(other) + k)
        return total(own - other), error

    return divergence


def kullback_leibler_reciprocal(k, q, a):
    value, error = coded(False)(k, q, a)
    return through_pole(value, error)


def through_pole(value, error):
    """1/x, and any number where x may be of either sign."""
    unsure = abs(value) <= error
    safe = np.where(unsure, 1, value)
    new = 1 / safe
    off = np.maximum(abs(1 / (safe - error) - new), abs(1 / (safe + error) - new))
    return np.where(unsure, 0, new), np.where(unsure, np.inf, off)


def jensen_shannon(k, q, a):
    k, q = shares(k), np.broadcast_to(shares(q), k.shape)
    middle = (k + q) / 2
    terms = (entropic(k, middle) + entropic(q, middle)) / 2
    return -total(terms), 2 * a.sum * total(
        abs(entropic(k, middle)) + abs(entropic(q, middle)) + abs(k - q)
    ) + OWN + a.sum**2


def jensen_shannon_inverted(k, q, a):
    sums = [through_pole(*coded(reverse)(k, q, a)) for reverse in (False, True)]
    value = sum(pair[0] for pair in sums) / 2
    error = sum(pair[1] for pair in sums) / 2 + 4 * a.eps * sum(abs(pair[0]) for pair in sums)
    return through_pole(value, error)


def jaccard(k, q, a):
    shared, joint = total(np.minimum(k, q)), total(np.maximum(k, q))
    score = shared / np.where(joint == 0, 1, joint)
    room = 1 + (total(k) + total(q) + shared) / np.where(joint == 0, 1, joint)
    return score, a.sum * score * room


def squared_features(k, q, a):
    return of_terms(k**2 * q**2, a)


def changed(inner, function):
    return lambda k, q, a: through(inner(k, q, a), function)


def spread_weights(function, scores, errors):
    """Weights, and the least and most that each can be if every score is off by its error.

    A weight rises with its own score and falls with all others.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        own = np.eye(len(scores), dtype=bool)
        errors = np.where(np.isinf(scores), 0, errors)
        up = np.where(own, scores + errors, scores - errors)
        down = np.where(own, scores - errors, scores + errors)
        return function(scores), np.diag(function(down)), np.diag(function(up))


def exponentials(s, beta):
    top = s.max(-1, keepdims=True)
    infinite = np.isinf(top)
    below = np.where(infinite, 0, s) - np.where(infinite, 0, top)
    below = np.where(infinite, np.where(s == top, 0, -np.inf), below)
    return np.exp(beta * below)


def by_sum(w):
    mass = w.sum(-1, keepdims=True)
    return np.where(mass == 0, 0, w / np.where(mass == 0, 1, mass))


def softmax(beta):
    return lambda s: by_sum(exponentials(s, beta))


def ghost(beta):
    def weights(s):
        terms = exponentials(np.concatenate([s, np.zeros_like(s[..., :1])], -1), beta)
        return by_sum(terms)[..., :-1]

    return weights


def exponential(beta):
    return lambda s: np.exp(beta * s)


def entmax(alpha, beta):
    def weights(s):
        below = (alpha - 1) * beta * (s - s.max(-1, keepdims=True))
        low, high = -np.ones_like(below[..., :1]), np.zeros_like(below[..., :1])
        for _ in range(70):
            middle = (low + high) / 2
            mass = (np.maximum(below - middle, 0) ** (1 / (WIDE(alpha) - 1))).sum(-1, keepdims=True)
            low, high = np.where(mass >= 1, middle, low), np.where(mass >= 1, high, middle)
        return by_sum(np.maximum(below - low, 0) ** (1 / (WIDE(alpha) - 1)))

    return weights


def best(k, then):
    def weights(s):
        order = np.argsort(-s, axis=-1, kind="stable")
        rank = np.argsort(order, axis=-1, kind="stable")
        return then(np.where(rank < k, s, -np.inf))

    return weights


def one(s):
    return (np.arange(s.shape[-1]) == s.argmax(-1)[..., None]).astype(WIDE)


def power(degree, scale=1, rectified=False):
    return lambda s: (np.maximum(s, 0) if rectified else s) ** degree / WIDE(scale) ** degree


def threshold(theta):
    return lambda s: (s >= theta).astype(WIDE)


def of_shares(inner):
    return lambda s: inner(by_sum(s))
