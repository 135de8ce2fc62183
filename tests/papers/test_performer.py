"""Performer: what breaks which claim, and broken measurements."""

import jax
import jax.numpy as jnp
import numpy as np

from attrax.papers import performer as paper
from attrax.papers.contract import Run
from attrax.papers.performer import measure as m

KINDS = len(m.KINDS)


def drawn(count, orthogonal, times=1.0, bias=0.0):
    """Estimates whose errors are those of the formulas, times a factor."""
    signs = np.resize([1.0, -1.0], 10 * m.GROUPS)
    ratios = np.empty((signs.size, KINDS, len(m.SQUARES)))
    wobble = 1 + 1e-3 * np.repeat(np.linspace(-1, 1, m.GROUPS), 10)
    for i, kind in enumerate(m.KINDS):
        for pair in range(len(m.SQUARES)):
            error = m.formula(kind, pair, count, orthogonal and kind != "trigonometric")
            ratios[:, i, pair] = 1 + bias + signs * wobble * np.sqrt(times * error)
    return m.Estimates(count, ratios)


def reads(last=0.01, orthogonal=0.8):
    """Errors that fall from one to the last."""
    errors = np.array([1.0, 0.3, last])[:, None] * (1 + 0.01 * np.linspace(-1, 1, 8))
    return m.Reads((16, 64, 512), errors, orthogonal * errors)


def growing(power):
    lengths = 2 ** np.arange(3)
    return 1e6 * lengths.astype(float) ** power


BROKEN = {
    "biased": (
        {m.estimates: drawn(64, True, 1e-6, 0.05)},
        {"unbiased", "errors", "exact", "orthogonal_errors", "constant_lengths_are_biased"},
    ),
    "errors twice as large": (
        {
            (m.estimates, 64, False): drawn(64, False, 2.0),
            (m.estimates, 64, True): drawn(64, True, 2.0),
        },
        {"errors", "orthogonal_errors"},
    ),
    "orthogonal ones no better": (
        {
            (m.estimates, 64, False): drawn(64, False),
            (m.estimates, 64, True): drawn(64, False, 1.1),
            (m.estimates, 16, True): drawn(16, False),
        },
        {"orthogonal_is_better", "orthogonal_errors", "within_bound"},
    ),
    "reads stay as they are": ({m.reads: reads(0.5)}, {"reads_improve"}),
    "reads by orthogonal ones are worse": (
        {m.reads: reads(orthogonal=1.2)},
        {"orthogonal_reads_are_better"},
    ),
    "the next token is seen": ({m.causal: m.Causal(0.1, 1e-7)}, {"causal_is_the_lower_triangle"}),
    "underflow": (
        {m.large_scores: m.Large((1, 10), np.array([0, 0.1]), np.zeros(2))},
        {"large_scores_are_read"},
    ),
    "a table of all tokens": (
        {
            m.costs: m.Costs((1, 2, 4), growing(2), growing(1), growing(2)),
            m.memories: m.Memories((1, 2, 4), growing(2), growing(2)),
        },
        {"operations_are_linear", "memory_is_linear"},
    ),
}
FEW = {"draws": 4000, "reads.tokens": 64, "reads.draws": 8, "reads.directions": (16, 256)}


def test_estimates_of_fewer_draws_are_as_theory_says():
    run = Run(sizes=FEW)
    for orthogonal in (False, True):
        found = run(m.estimates, 64, orthogonal)
        for kind in m.KINDS[: 3 - orthogonal]:
            ratio = found.error(kind, m.RIGHT) / m.formula(kind, m.RIGHT, 64, orthogonal)
            assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(m.GROUPS), kind
    assert paper.exact.check(run).verdict == "holds"
    assert paper.orthogonal_is_better.check(run).verdict == "holds"


def test_features_of_another_kernel_are_seen(monkeypatch):
    """The kernel of Gauss has another prefactor, which the code of a follow-up takes."""
    real = m.SoftmaxFeatures.scaled

    def scaled(self, row):
        factors, exponents = real(self, row)
        return factors, exponents - 0.5 * jnp.sum(jnp.square(row))

    monkeypatch.setattr(m.SoftmaxFeatures, "scaled", scaled)
    monkeypatch.setattr(m, "draw", m.draw.__wrapped__)
    run = Run(sizes={"draws": 400})
    found = run(m.estimates, 64, False)
    assert paper.unbiased.check(Run(known={m.estimates: found})).verdict == "fails"
    assert paper.errors.check(Run(known={m.estimates: found})).verdict == "fails"
    assert paper.exact.check(Run(known={m.estimates: found})).verdict == "fails"


def test_directions_without_lengths_are_seen():
    run = Run(sizes=FEW)
    found = run(m.estimates, 64, True, "constant")
    mean = 1 + found.bias("positive", m.UNIT)
    theory = m.constant_length_kernel(m.UNIT)
    assert abs(mean.mean() - theory) < 4 * mean.std() / np.sqrt(m.GROUPS)
    assert paper.unbiased.check(Run(known={m.estimates: found})).verdict == "fails"
    normal = run(m.estimates, 64, True)
    assert (
        paper.constant_lengths_are_biased.check(Run(known={m.estimates: normal})).verdict == "fails"
    )


def test_reads_of_other_features_are_seen(monkeypatch):
    found = m.reads(Run(sizes=FEW), 0.5)
    assert found.orthogonal[-1].mean() < 0.2 * found.orthogonal[0].mean()
    # With features of another temperature more directions do not help.
    monkeypatch.setattr(m, "read_errors", m.read_errors.__wrapped__)
    real = m.SoftmaxFeatures
    monkeypatch.setattr(
        m, "SoftmaxFeatures", lambda d, count, beta, **rest: real(d, count, 3 * beta, **rest)
    )
    other = m.reads(Run(sizes=FEW), 0.5)
    assert other.orthogonal[-1].mean() > 0.2 * other.orthogonal[0].mean()


def test_a_read_of_the_next_token_is_seen(monkeypatch):
    run = Run()
    assert paper.causal_is_the_lower_triangle.check(run).verdict == "holds"
    real = m.causal_linear_attention

    def ahead(queries, keys, values, features, **rest):
        shifted = (jnp.roll(jnp.asarray(x), -1, axis=0) for x in (keys, values))
        return real(queries, *shifted, features, **rest)

    monkeypatch.setattr(m, "causal_linear_attention", ahead)
    assert m.causal(Run()).chunks > 1e-3


def test_plain_features_of_large_scores_are_seen(monkeypatch):
    assert (m.large_scores(Run()).every == 0).all()
    real = m.linear_attention
    monkeypatch.setattr(m, "linear_attention", lambda q, k, v, f: real(q, k, v, lambda row: f(row)))
    assert m.large_scores(Run()).every[-1] > 0.5


def test_multiplications_are_counted_by_hand():
    shape = jax.ShapeDtypeStruct((5, 7), jnp.float32)
    assert m.multiplications(lambda x: x @ x.T, shape) == 5 * 7 * 5
    looped = jax.jit(lambda x: jax.lax.map(lambda row: row @ x.T, x))
    assert m.multiplications(looped, shape) == 5 * 7 * 5
    costs = m.costs(Run())
    # Two maps to features, and two products of features with values or sums.
    np.testing.assert_allclose(
        costs.every / costs.lengths, 2 * 256 * 64 + 256 * (64 + 65), rtol=0.02
    )
    np.testing.assert_array_equal(costs.exact, 2 * 64 * np.square(costs.lengths, dtype=float))


def test_memory_of_tables_is_seen(monkeypatch):
    monkeypatch.setattr(m, "causal_linear_attention", lambda q, k, v, f: (m.attend(q, k, v), None))
    found = m.memories(Run())
    assert paper.memory_is_linear.check(Run(known={m.memories: found})).verdict == "fails"


def test_tables_are_of_attention():
    found = m.tables(Run())
    for table in found:
        np.testing.assert_allclose(table.sum(1), 1, rtol=1e-4)
    assert (found.positive > 0).all()
    assert (found.trigonometric < 0).any()
    assert np.abs(found.positive - found.exact).mean() < 0.5 * found.exact.mean()
