"""Law 6: scores outside a separation's domain are an error at construction, whose remedy works."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax
from attrax.similarity import Euclidean, non_negative
from conformance import registry

CHOOSY = [n for n, part in registry.ALL_SEPARATIONS.items() if part.domain != "signed"]
MISFITS = [
    n for n, part in registry.ALL_SIMILARITIES.items() if part.range not in registry.POSITIVE
]
# One of each kind, to be made fit and read.
KINDS = ("dot", "cosine", "kernel", "euclidean", "manhattan", "kullback_leibler", "jensen_shannon")
# The published forms whose documentation says that their sign can be wrong.
UNRELIABLE = ("kullback_leibler_reciprocal", "jensen_shannon_inverted")


def memory_of(similarity, separation):
    rows = registry.rows_of(similarity, np.random.default_rng(0))
    return attrax.Memory(rows, similarity=similarity, separation=separation)


@pytest.mark.parametrize("name", CHOOSY)
def test_scores_outside_the_domain_are_refused(name):
    separation = registry.ALL_SEPARATIONS[name]
    for misfit in MISFITS:
        similarity = registry.ALL_SIMILARITIES[misfit]
        with pytest.raises(
            ValueError, match=r"is defined for (positive|non-negative) scores"
        ) as refused:
            memory_of(similarity, separation)
        assert type(separation).__name__ in str(refused.value)
        assert similarity.range in str(refused.value)


@pytest.mark.parametrize("name", registry.cases(CHOOSY))
def test_the_remedy_works(name):
    """What the error names reads without NaN."""
    separation = registry.ALL_SEPARATIONS[name]
    wrong = []
    for misfit in KINDS:
        similarity = registry.ALL_SIMILARITIES[misfit]
        with pytest.raises(ValueError, match="defined for") as refused:
            memory_of(similarity, separation)
        text = str(refused.value)
        other = similarity if "non_negative(similarity)" in text else Euclidean()
        assert "non_negative(similarity)" in text or "non_negative(Euclidean())" in text
        memory = memory_of(non_negative(other), separation)
        rows = registry.rows_of(other, np.random.default_rng(1))
        read = jnp.stack([memory(row) for row in rows[:3]])
        if not bool(jnp.all(jnp.isfinite(read))):
            wrong.append(misfit)
    assert wrong == []


def test_rectifying_is_a_remedy_for_powers():
    similarity = registry.ALL_SIMILARITIES["dot"]
    with pytest.raises(ValueError, match=r"rectified=True"):
        memory_of(similarity, attrax.separation.Power(2))
    memory = memory_of(similarity, attrax.separation.Power(2, rectified=True))
    weights = memory.weights(memory.keys[0])
    scores = np.asarray(memory.scores(memory.keys[0]))
    np.testing.assert_allclose(weights, np.maximum(scores, 0) ** 2, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in registry.ALL_SIMILARITIES if n not in UNRELIABLE])
def test_scores_keep_to_their_range(name):
    """What a similarity declares is so for drawn rows and for the rows themselves."""
    similarity = registry.ALL_SIMILARITIES[name]
    rng = np.random.default_rng(0)
    rows = registry.rows_of(similarity, rng)
    queries = jnp.concatenate([registry.rows_of(similarity, rng), rows])
    scores = np.asarray(jax.jit(jax.vmap(similarity, (None, 0)))(rows, queries))
    assert not np.isnan(scores).any()
    if similarity.range in registry.POSITIVE:
        assert scores.min() >= 0
    if similarity.range == "positive":
        assert scores.min() > 0
    if similarity.range == "non-positive":
        assert scores.max() <= 0
    if similarity.range == "signed":
        assert scores.min() < 0 < scores.max()
