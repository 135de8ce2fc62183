"""No silent wrong answer: drawn inputs of every kind against long doubles of NumPy."""

import itertools
import os
import re
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import attrax
import oracle
from attrax import separation as sep
from attrax import similarity as sim
from attrax.dynamics import OneRead
from oracle import WIDE

# More on demand: ATTRAX_TEST_ORACLE=20000 draws so many inputs, over all pairs of parts.
DRAWS = int(os.environ.get("ATTRAX_TEST_ORACLE", "500"))
SHAPES = ((12, 6), (9, 40), (16, 33))
QUERIES = 4


class Separation(NamedTuple):
    """A separation for an inverse temperature, and its formula."""

    make: Any
    weights: Any
    normalised: bool = True


class Similarity(NamedTuple):
    """A similarity, its formula, and what its rows are."""

    part: Any
    scores: Any
    rows: str = "any"


SEPARATIONS = {
    "default": Separation(lambda beta: None, oracle.softmax),
    "softmax": Separation(sep.Softmax, oracle.softmax),
    "ghost": Separation(sep.GhostSoftmax, oracle.ghost, False),
    "exponential": Separation(sep.Exponential, oracle.exponential, False),
    "exponential by sum": Separation(
        lambda beta: sep.SumNormalised(sep.Exponential(beta)), oracle.softmax
    ),
    "sparsemax": Separation(lambda b: sep.Entmax(2.0, b), lambda b: oracle.entmax(2, b)),
    "entmax": Separation(lambda b: sep.Entmax(1.5, b), lambda b: oracle.entmax(1.5, b)),
    "entmax 1.25": Separation(lambda b: sep.Entmax(1.25, b), lambda b: oracle.entmax(1.25, b)),
    "max": Separation(lambda beta: sep.Max(), lambda beta: oracle.one),
    "three": Separation(
        lambda b: sep.TopK(3, sep.Softmax(b)), lambda b: oracle.best(3, oracle.softmax(b))
    ),
    "identity": Separation(lambda beta: sep.Identity(), lambda beta: lambda s: s, False),
    "identity by sum": Separation(
        lambda beta: sep.SumNormalised(sep.Identity()), lambda beta: oracle.by_sum
    ),
    "square": Separation(
        lambda beta: sep.Power(2, scale=1 / beta), lambda b: oracle.power(2, 1 / b), False
    ),
    "cube by sum": Separation(
        lambda beta: sep.SumNormalised(sep.Power(3)), lambda b: lambda s: oracle.by_sum(s**3)
    ),
    "rectified": Separation(
        lambda beta: sep.Power(2, rectified=True, scale=1 / beta),
        lambda b: oracle.power(2, 1 / b, rectified=True),
        False,
    ),
    "log": Separation(lambda beta: sep.Log(), lambda beta: np.log, False),
    "threshold": Separation(
        lambda beta: sep.Threshold(0.5 / beta), lambda b: oracle.threshold(0.5 / b), False
    ),
    "shares": Separation(
        lambda b: sep.ScoreNormalised(sep.Softmax(b)),
        lambda b: oracle.of_shares(oracle.softmax(b)),
    ),
    "function": Separation(lambda beta: _by_sum, lambda beta: oracle.by_sum, False),
}


def _by_sum(scores):
    return scores / jnp.sum(scores)


def _product(keys, query):
    return keys @ query


def _square(row):
    return row * row


def _exact(form):
    return Similarity(sim.Euclidean(form, exact=True), oracle.euclidean(form, True))


def _reciprocal(x):
    return 1 / abs(x)


SIMILARITIES = {
    "default": Similarity(None, oracle.correlation, "varied"),
    "correlation": Similarity(sim.Correlation(), oracle.correlation, "varied"),
    "cosine": Similarity(sim.Cosine(), oracle.cosine),
    "dot": Similarity(sim.Dot(), oracle.dot),
    "function": Similarity(_product, oracle.dot),
    "dot of shares": Similarity(sim.Dot("sum"), oracle.dot_of_shares, "counts"),
    "half square": Similarity(sim.Euclidean(), oracle.euclidean("half_square")),
    "square": Similarity(sim.Euclidean("square"), oracle.euclidean("square")),
    "distance": Similarity(sim.Euclidean("distance"), oracle.euclidean("distance")),
    "reciprocal": Similarity(sim.Euclidean("reciprocal"), oracle.euclidean("reciprocal")),
    "exact half square": _exact("half_square"),
    "exact distance": _exact("distance"),
    "manhattan": Similarity(sim.Manhattan(), oracle.manhattan),
    "manhattan reciprocal": Similarity(sim.Manhattan("reciprocal"), oracle.manhattan_reciprocal),
    "minkowski 3": Similarity(sim.Minkowski(3.0), oracle.minkowski(3)),
    "minkowski 16": Similarity(sim.Minkowski(16.0), oracle.minkowski(16)),
    "chebyshev": Similarity(sim.Minkowski(np.inf), oracle.minkowski(np.inf)),
    "hamming": Similarity(sim.Hamming(), oracle.hamming, "symbols"),
    "divergence": Similarity(sim.KullbackLeibler(), oracle.kullback_leibler(False), "counts"),
    "reverse divergence": Similarity(
        sim.KullbackLeibler(True), oracle.kullback_leibler(True), "counts"
    ),
    "reciprocal divergence": Similarity(
        sim.KullbackLeibler(form="reciprocal"), oracle.kullback_leibler_reciprocal, "counts"
    ),
    "jensen-shannon": Similarity(sim.JensenShannon(), oracle.jensen_shannon, "counts"),
    "inverted jensen-shannon": Similarity(
        sim.JensenShannon("inverted"), oracle.jensen_shannon_inverted, "counts"
    ),
    "jaccard": Similarity(sim.Jaccard(), oracle.jaccard, "counts"),
    "kernel": Similarity(sim.Kernel(_square), oracle.squared_features),
    "bounded": Similarity(
        sim.non_negative(sim.Euclidean()),
        oracle.changed(oracle.euclidean("half_square"), lambda s: 1 / (1 - s)),
    ),
    "reciprocal manhattan": Similarity(
        sim.NonNegative(sim.Manhattan(), "reciprocal"),
        oracle.changed(oracle.manhattan, _reciprocal),
    ),
    "rectified cosine": Similarity(
        sim.non_negative(sim.Cosine()), oracle.changed(oracle.cosine, lambda s: np.maximum(s, 0))
    ),
}
PAIRS = (
    ("default", "default"),
    ("correlation", "threshold"),
    ("cosine", "entmax 1.25"),
    ("dot", "max"),
    ("dot", "exponential"),
    ("function", "softmax"),
    ("dot of shares", "square"),
    ("half square", "default"),
    ("square", "softmax"),
    ("distance", "sparsemax"),
    ("exact half square", "max"),
    ("exact distance", "three"),
    ("reciprocal", "cube by sum"),
    ("manhattan", "entmax"),
    ("manhattan reciprocal", "identity by sum"),
    ("minkowski 3", "softmax"),
    ("minkowski 16", "ghost"),
    ("chebyshev", "max"),
    ("hamming", "default"),
    ("divergence", "default"),
    ("reverse divergence", "exponential by sum"),
    ("reciprocal divergence", "max"),
    ("jensen-shannon", "default"),
    ("inverted jensen-shannon", "shares"),
    ("jaccard", "function"),
    ("kernel", "identity"),
    ("bounded", "log"),
    ("reciprocal manhattan", "max"),
    ("rectified cosine", "rectified"),
)
KNOWN = ("none", "one", "each")


class Program(NamedTuple):
    """What is compiled once: parts, sizes, the type of the rows, the axes of the mask, dynamics."""

    similarity: str
    separation: str
    shape: tuple[int, int]
    dtype: str
    known: str
    runs: tuple[str, ...] = ("read", "rest")


def programs():
    """Every pair, with shapes, masks and types in turn; or all of them."""
    if DRAWS > 500:
        wide = ("cosine", "softmax"), ("half square", "softmax"), ("manhattan", "max")
        for pair in (*PAIRS, *wide, ("hamming", "max"), ("jaccard", "default")):
            for shape in SHAPES:
                for dtype in ("float32", "float16", "bfloat16", "float64"):
                    for known in KNOWN:
                        yield Program(*pair, shape, dtype, known)
        return
    runs = ("read",), ("rest",)
    for i, pair in enumerate(PAIRS):
        yield Program(*pair, SHAPES[i % 3], "float32", KNOWN[(i + i // 3) % 3], runs[i % 2])
    for known in KNOWN[:2]:
        yield Program("default", "default", SHAPES[1], "float32", known, runs[1])
    few = ("default", "default"), ("cosine", "softmax"), ("half square", "softmax")
    for i, pair in enumerate((*few, ("divergence", "default"))):
        yield Program(*pair, SHAPES[1], ("float16", "bfloat16")[i % 2], KNOWN[i % 2], runs[i % 2])
    for i, pair in enumerate((*few[:2], ("jensen-shannon", "default"))):
        yield Program(*pair, SHAPES[i % 3], "float64", KNOWN[i % 3], runs[i % 2])


PROGRAMS = [
    p
    for p in programs()
    if not (p.known != "none" and (p.similarity == "function" or p.separation == "function"))
]


class Numbers(NamedTuple):
    """What a table of numbers is made of."""

    seed: int
    kind: str
    scale: int
    offset: int
    copies: int
    steady: bool
    layout: str
    asked: tuple[str, ...]
    sharpness: int
    hole: str


KINDS = {
    "float32": ("float32", "float64", ">f4", ">f8", "longdouble", "object", "int16", "int64",
                "uint8", "bool", "whole objects"),
    "float64": ("float64", ">f8", "longdouble", "object"),
    "float16": ("float16", ">f2"),
    "bfloat16": ("bfloat16",),
}  # fmt: skip
LAYOUTS = ("C", "Fortran", "strided", "reversed", "read-only", "lists", "masked")
ASKED = ("stored", "near", "near", "other", "far", "scaled", "constant")


@st.composite
def inputs(draw):
    program = draw(st.sampled_from(PROGRAMS))
    small = program.dtype in ("float16", "bfloat16")
    numbers = Numbers(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(KINDS[program.dtype])),
        draw(st.integers(-2, 2) if small else st.integers(-20, 20)),
        draw(st.integers(-1, 2) if small else st.integers(-1, 7)),
        draw(st.integers(0, 3)),
        draw(st.booleans()) and draw(st.booleans()),
        draw(st.sampled_from(LAYOUTS)),
        tuple(draw(st.sampled_from(ASKED)) for _ in range(QUERIES)),
        draw(st.integers(0, 4)),
        draw(st.sampled_from(("kept", "nan", "masked", "huge"))),
    )
    return program, numbers


def table(program, numbers):
    """Rows, queries and a mask as doubles, and the type that they are to be given in."""
    rng = np.random.default_rng(numbers.seed)
    count, width = program.shape
    rows_are = SIMILARITIES[program.similarity].rows
    base = rng.normal(size=(count, width))
    other = rng.normal(size=(QUERIES, width))
    if rows_are == "counts":
        base, other = np.exp(base), np.exp(other)
        base[rng.random(base.shape) < 0.1] = 0
    if rows_are == "symbols":
        base, other = np.floor(2 * base), np.floor(2 * other)
    offset = 0.0 if numbers.offset < 0 else 10.0**numbers.offset
    scale = 10.0**numbers.scale
    whole = numbers.kind in ("int16", "int64", "uint8", "bool", "whole objects")
    noise = 0 if rows_are == "symbols" else 0.1
    if whole:
        spread, offset = {"bool": (1, 0), "uint8": (20, 120), "int16": (100, offset)}.get(
            numbers.kind, (1000, offset * 1000)
        )
        scale = 1.0
        base, other, noise = (
            np.round(base * spread),
            np.round(other * spread),
            round(noise * spread),
        )
        offset = np.round(min(offset, 1e4 if numbers.kind == "int16" else 1e12))
    offset = offset * (1 if rng.random() < 0.5 else rng.random(width).round(3))
    rows = (base + offset) * scale
    if numbers.steady:
        rows[rng.integers(count)] = rows[0, 0]
    for _ in range(numbers.copies):
        a, b = rng.integers(count, size=2)
        rows[a] = rows[b]
    queries = []
    for i, kind in enumerate(numbers.asked):
        row = rows[rng.integers(count)]
        queries.append(
            {
                "stored": row,
                "near": row + noise * np.round(other[i]) * scale,
                "other": (other[i] + offset) * scale,
                "far": row + 1e3 * abs(other[i]) * (1 if whole else scale),
                "scaled": row * (1 if whole else 1e6),
                "constant": np.full(width, row[0]),
            }[kind]
        )
    queries = np.stack(queries)
    if rows_are == "counts":
        rows, queries = abs(rows), abs(queries)
    if whole:
        low, high = {"uint8": (0, 255), "int16": (-32768, 32767), "bool": (0, 1)}.get(
            numbers.kind, (-(2**62), 2**62)
        )
        rows, queries = (np.clip(np.round(x), low, high) for x in (rows, queries))
    known = None
    if program.known != "none":
        known = rng.random((QUERIES, width)) < 0.7
        known[:, :2] = True
        known = known[0] if program.known == "one" else known
    return rows, queries, known


def typed(x, kind):
    """Numbers in the type they are to be given in."""
    if kind == "object":
        return x.astype(object)
    if kind == "whole objects":
        return np.vectorize(int, otypes=[object])(x)
    if kind == "bfloat16":
        return np.asarray(x).astype(jnp.bfloat16)
    with np.errstate(over="ignore"):
        return x.astype(kind)


def laid(x, layout):
    """The same numbers in another order in memory."""
    if layout == "Fortran":
        return np.asfortranarray(x)
    if layout == "strided":
        wide = np.zeros((2 * len(x), 3 * x.shape[1]), x.dtype)
        wide[::2, ::3] = x
        return wide[::2, ::3]
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
        return x
    if layout == "lists":
        return x.tolist() if x.dtype.kind in "fiubO" else x
    return np.ma.masked_array(x, np.zeros(x.shape, bool)) if layout == "masked" else x


def holed(queries, known, numbers):
    """Queries with something in the entries that are not known."""
    if known is None or numbers.hole == "kept":
        return queries
    holes = np.broadcast_to(~known, queries.shape)
    if numbers.hole == "masked":
        return np.ma.masked_array(queries, holes)
    if queries.dtype.kind != "f":
        return queries
    return np.where(
        holes, np.nan if numbers.hole == "nan" else np.finfo(queries.dtype).max, queries
    )


class Answer(NamedTuple):
    """What is read, and how far from it rounding may lead."""

    state: np.ndarray
    room: np.ndarray
    scores: np.ndarray
    errors: np.ndarray


class Exact:
    """A memory of numbers as they are stored, in long doubles."""

    def __init__(self, program, rows, separation, beta):
        dtype = jnp.dtype(program.dtype)
        sums = np.float64 if program.dtype == "float64" else np.float32
        limits = np.finfo(sums)
        self.similarity = SIMILARITIES[program.similarity]
        self.kept, self.limits, self.sums = float(jnp.finfo(dtype).eps), limits, sums
        self.dtype = dtype
        self.tiny, self.largest = (float(getattr(jnp.finfo(dtype), end)) for end in ("tiny", "max"))
        self.rows, self.beta = rows, beta
        self.normalised = separation.normalised
        self.weights = separation.weights(WIDE(beta))
        self.mode = program.similarity == "hamming" and separation.normalised
        self.encoded = program.similarity == "default"
        self.coarse = self.kept if self.kept > limits.eps else 0.0

    def arithmetic(self, width):
        kept = self.kept if self.coarse or self.encoded else 0
        return oracle.Arithmetic(self.limits.eps, kept, width, self.limits.tiny)

    def score(self, query, known):
        columns = slice(None) if known is None else known
        keys = self.rows[:, columns]
        return self.similarity.scores(keys, query[columns], self.arithmetic(keys.shape[1]))

    def read(self, scores, errors):
        """The sum of rows, or their mode, for scores that are off by so much."""
        eps = WIDE(self.limits.eps)
        count = len(self.rows)
        top = np.where(np.isinf(scores.max()), 0, scores.max())
        finite = np.where(np.isinf(scores), 0, scores)
        rounded = 4 * eps * abs(finite) + 8 * eps * abs(finite - top)
        errors = errors + rounded + (count + 8) * eps / self.beta
        weights, low, high = oracle.spread_weights(self.weights, scores, errors)
        # Shares of negative scores fall with their own.
        off = np.maximum(abs(high - weights), abs(weights - low))
        if self.mode:
            return None, (weights, off)
        state = weights @ self.rows
        size = abs(weights) @ abs(self.rows)
        apart = abs(self.rows - state) if self.normalised else abs(self.rows)
        lost = (count + 8) * (eps if self.kept < eps else self.kept)
        # What is too small for the type is lost, of weights too.
        least = count * self.tiny * np.maximum(1, abs(self.rows).max(0))
        return state, off @ apart + lost * (size + off @ abs(self.rows)) + least

    def run(self, query, seed):
        """Reads until the state rests, with scores that are off by their errors, of either sign.

        States of encoded rows are keys, whose scores are products; what is read are the rows.
        Beside the end and its room comes how many last steps there are left to go.
        """
        rng, before, left = np.random.default_rng(seed), np.inf, 1.0
        units, key, state, unit = None, None, query, abs(self.rows).max()
        if self.encoded:
            units = oracle.standard(self.rows, self.arithmetic(query.size))
            key, unit = oracle.standard(query, self.arithmetic(query.size)), 1
        for _ in range(100):
            scores, errors = self.score(state if units is None else query, None)
            if units is not None:
                scores = units @ key
            if seed:
                signs = rng.choice([-1, 1], len(scores))
                # Of a pole nothing is known: all runs of even seeds go one way, the others another.
                signs = np.where(np.isinf(errors), 1 - 2 * (seed % 2), signs)
                scores = scores + errors * signs
            old = state if units is None else key
            state, room = self.read(scores, errors)
            new = state
            if units is not None:
                new = key = self.weights(scores) @ units
            elif seed and self.coarse:
                new = state = state.astype(self.dtype).astype(WIDE)
            step = np.linalg.norm(new - old)
            left, before = 1 / max(1e-3, 1 - step / before) if before else 1.0, step
            if step <= 1e-6 * unit + 1e-4 * np.linalg.norm(old):
                break
        return state, room, left


def in_mode(state, rows, weights, off):
    """Whether each entry is a value of at least nearly the largest total weight."""
    for column, entry in zip(rows.T, state, strict=True):
        values = np.unique(column)
        totals = np.array([weights[column == value].sum() for value in values])
        if not (values == entry).any():
            return False
        if totals[values == entry][0] < totals.max() - 2 * off.sum() - 1e-6:
            return False
    return True


REASONS = {
    r"`(patterns|queries)` holds (infinity|.*too large for)": lambda f: f.largest > f.limit,
    r"holds nothing above": lambda f: f.smallest_row < f.tiny,
    r"are constant": lambda f: f.constant,
    r"zero throughout": lambda f: f.zero_row,
    r"can hardly be told apart": lambda f: f.gap <= f.rounding,
    r"are beyond the range": lambda f: f.most > f.limit,
    r"are below the range": lambda f: f.least < f.tiny,
    r"holds whole numbers that .* rounds": lambda f: f.largest > 2**8,
    r"`(beta|scale|theta)` (must be positive|holds|is)": lambda f: not 1e-37 < f.beta < 1e37,
}


class Facts(NamedTuple):
    """What a refusal may name."""

    largest: float
    limit: float
    smallest_row: float
    tiny: float
    constant: bool
    zero_row: bool
    gap: float
    rounding: float
    most: float
    least: float
    beta: float


def said(call, facts):
    """What a call returns; `None` if it is refused, or warns, for a reason that is there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return call()
    except (ValueError, TypeError, UserWarning) as error:
        text = str(error)
        reasons = [test for pattern, test in REASONS.items() if re.search(pattern, text)]
        assert reasons, text
        assert all(test(facts) for test in reasons), (text, facts)
        return None


def gaps_of(exact, rows):
    """The smallest gaps by which rows beat others as their own queries, and their errors."""
    own, errors = [], []
    for i, row in enumerate(rows):
        scores, error = exact.similarity.scores(rows, row, exact.arithmetic(rows.shape[1]))
        others = np.delete(scores, i)
        own.append((scores[i] - others.max() if len(others) else np.inf, abs(scores[i])))
        errors.append(error.max())
    gaps, sizes = np.transpose(own)
    place = int(np.floor(0.05 * (len(rows) - 1)))
    return np.sort(gaps)[place], sizes.max(), max(errors)


def judge(program, numbers):
    similarity, separation = SIMILARITIES[program.similarity], SEPARATIONS[program.separation]
    rows, queries, known = table(program, numbers)
    given = laid(typed(rows, numbers.kind), numbers.layout)
    # By its annotation, `retrieve` takes arrays.
    order = "C" if numbers.layout == "lists" else numbers.layout
    asked = holed(laid(typed(queries, numbers.kind), order), known, numbers)
    with np.errstate(over="ignore", under="ignore"):
        stored, exact_queries = (
            typed(x, numbers.kind).astype(np.float64).astype(jnp.dtype(program.dtype)).astype(WIDE)
            for x in (rows, queries)
        )
    finite = np.isfinite(stored).all() and np.isfinite(exact_queries).all()
    exact = Exact(program, stored, separation._replace(weights=lambda beta: None), 1.0)
    with np.errstate(all="ignore"):
        spread = np.ptp([exact.score(q, None)[0] for q in exact_queries], axis=1).max()
        gap, size, error = gaps_of(exact, stored)
        if not gap > 0:
            distinct = np.unique(stored, axis=0)
            if len(distinct) > 1:
                gap, size, error = gaps_of(exact, distinct)
    factor = 10.0 ** (numbers.sharpness - 1)
    beta = float(factor / spread) if 0 < spread < np.inf else 1.0
    least = np.finfo(np.float64 if program.dtype == "float64" else np.float32)
    known_range = 1.5e-38 < beta < 3e38
    used = float(np.float32(beta)) if program.dtype != "float64" and known_range else beta
    everything = np.concatenate([stored, exact_queries])
    # The smaller of both: rows are refused for what they are, and queries for what they are.
    sizes = [abs(x).max() for x in (stored, exact_queries)]
    apart = min(sizes) if "dot" in program.similarity else abs(stored - stored[0]).max()
    facts = Facts(
        float(abs(everything).max()) if finite else np.inf,
        float(jnp.finfo(jnp.dtype(program.dtype)).max),
        float(abs(everything).max(-1).min()),
        float(least.tiny),
        bool(oracle.constant(stored).any()),
        bool((stored.sum(-1) == 0).any()),
        float(gap),
        # Keys of the default are unit rows, as long as their type can say.
        float(100 * (least.eps * size + error)) if not exact.encoded else 1.2e-3 + exact.coarse,
        # Terms of scores are sums of so many squares; all figures of them must be in the range.
        float(32 * abs(everything).max() ** 2 * stored.shape[1]),
        float(apart**2 * least.eps),
        beta,
    )
    memory = said(
        lambda: attrax.Memory(given, similarity=similarity.part, separation=separation.make(used)),
        facts,
    )
    if memory is None:
        return
    if program.separation == "default":
        found = float(memory.separation.beta)
        count = len(np.unique(stored, axis=0)) if found != 1 else 1
        if count > 1:
            np.testing.assert_allclose(
                found, np.log(1000 * count) / gap, rtol=float(0.02 + 8 * error / gap)
            )
        used = found
    exact = Exact(program, stored, separation, used)
    options = {} if known is None else {"known": known}
    one = end = None
    if "read" in program.runs:
        one = said(lambda: attrax.retrieve(memory, asked, OneRead(), **options), facts)
    if "rest" in program.runs:
        end = said(lambda: attrax.retrieve(memory, asked, **options), facts)
    if one is None and end is None:
        return
    for i, query in enumerate(exact_queries):
        mask = None if known is None else known if known.ndim == 1 else known[i]
        with np.errstate(all="ignore"):
            pair = (None if found is None else found[i] for found in (one, end))
            judge_one(exact, memory, query, mask, *pair)


def judge_one(exact, memory, query, mask, one, end):
    scores, errors = exact.score(query, mask)
    own = exact.similarity.scores in (oracle.squared_features, oracle.dot)
    if own and abs(scores).max() + errors.max() > exact.limits.max / 8:
        # Of functions of one's own attrax cannot know how large their terms are.
        return
    if mask is None:
        found = np.asarray(memory.scores(query.astype(np.float64)), WIDE)
        close = (abs(found - scores) <= errors + 4 * exact.limits.eps * abs(scores)) | (
            found == scores
        )
        assert close.all(), ("scores", found, scores, errors)
    state, room = exact.read(scores, errors)
    if one is not None:
        assert_state("one read", exact, one, query, mask, state, room)
    if end is None or exact.mode or end.outcome.name not in ("converged", "mixture"):
        return
    if mask is not None:
        # Known entries alone are compared, so that a second read is the first.
        assert_state("at rest", exact, end, query, mask, state, room)
        return
    ends = [exact.run(query, seed) for seed in (0, 44, 63, 50, 27)]
    state, room, left = ends[0]
    apart = np.max([abs(other - state) for other, *_ in ends[1:]], axis=0)
    # One, or a hundred times what rows differ by, is what `atol` is a share of.
    unit = max(abs(exact.rows).max(), min(1, 100 * np.ptp(exact.rows, axis=0).max()))
    size = np.sqrt(np.sum(state**2)) * 1e-4 + unit * 1e-6
    # Where rounding may lead to another attractor, nothing is asked.
    if exact.coarse and not exact.encoded and rests(exact, end):
        # States of 16 bits rest where a step is less than their rounding, however far it leads.
        return
    if np.isfinite(apart).all() and apart.max() <= 1e-2 * np.ptp(exact.rows, axis=0).max():
        assert_state("at rest", exact, end, query, mask, state, room + 4 * apart + 4 * left * size)


def rests(exact, found):
    """Whether a read of what was found moves it by no more than rounding."""
    state = np.asarray(found.state, WIDE)
    moved, room = exact.read(*exact.score(state, None))
    return bool((abs(moved - state) <= room + exact.coarse * abs(state)).all())


def assert_state(what, exact, found, query, mask, state, room):
    outcome, found = found.outcome.name, np.asarray(found.state, WIDE)
    if mask is not None:
        np.testing.assert_array_equal(found[mask], query[mask])
    new = slice(None) if mask is None else ~mask
    if state is None:
        assert in_mode(found[new], exact.rows[:, new], *room), (what, found, room)
        return
    if not np.isfinite(state).all() or not (abs(state) + room < exact.largest).all():
        # Beyond the range of the rows' type there is no answer, and that is said.
        assert np.isfinite(found).all() or outcome == "diverged", (what, found, outcome)
        return
    assert (abs(found - state) <= room)[new].all(), (what, found[new], state[new], room[new])


COUNT = itertools.count()


# Of numbers that a seed stands for there are none that are simpler.
@settings(max_examples=DRAWS, phases=(Phase.explicit, Phase.generate))
@given(inputs())
def test_no_input_is_answered_wrongly_in_silence(case):
    # Thousands of programs in one process are more than an operating system maps.
    if next(COUNT) % 2000 == 1999:
        jax.clear_caches()
    with jax.enable_x64(case[0].dtype == "float64"):
        judge(*case)
