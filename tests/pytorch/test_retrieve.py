"""Recall of tensors is recall of arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import attrax  # noqa: E402
import attrax.torch  # noqa: E402
from attrax.dynamics import Iterate, Langevin  # noqa: E402

ROWS = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
FIELDS = ("state", "steps", "energy", "memories", "index", "confidence", "path", "energies")


@pytest.fixture(scope="module")
def memory():
    return attrax.Memory(torch.from_numpy(ROWS))


@pytest.fixture(scope="module")
def queries():
    noise = np.random.default_rng(1).standard_normal((5, 8)).astype(np.float32)
    return torch.from_numpy(ROWS[:5] + 0.1 * noise)


def agree(found, expected):
    for field in FIELDS:
        one, other = getattr(found, field), getattr(expected, field)
        assert (one is None) == (other is None)
        if one is not None:
            assert isinstance(one, torch.Tensor)
            np.testing.assert_array_equal(one, other)
    assert np.array_equal(found.outcome._value, expected.outcome._value)


@pytest.mark.parametrize("options", [{}, {"path": True, "certify": True}, {"confidence": True}])
def test_the_answer_is_that_of_arrays(memory, queries, options):
    found = attrax.torch.retrieve(memory, queries, Iterate(), **options)
    expected = attrax.retrieve(memory, queries.numpy(), Iterate(), **options)
    agree(found, expected)
    assert repr(found.certificate) == repr(expected.certificate)
    assert repr(found) == repr(expected).replace("float32", "torch.float32")
    assert found.summary() == expected.summary()
    np.testing.assert_array_equal(found[1].state, expected[1].state)
    right = torch.from_dlpack(found.outcome == attrax.Outcome.converged)
    np.testing.assert_allclose(found.state[right], ROWS[:5], atol=1e-3)


def test_masks_are_tensors_too(memory, queries):
    known = torch.arange(8) < 5
    damaged = queries.where(known, torch.nan)
    expected = attrax.retrieve(memory, damaged.numpy(), known=known.numpy())
    agree(attrax.torch.retrieve(memory, damaged, known=known), expected)
    each = known.expand(5, 8)
    agree(attrax.torch.retrieve(memory, damaged, known=each), expected)


def test_nothing_is_differentiated_and_nothing_is_shared(memory, queries):
    given = queries.clone().requires_grad_()
    found = attrax.torch.retrieve(memory, given)
    assert not found.state.requires_grad
    found.state.zero_()
    assert torch.equal(given.detach(), queries)
    found = attrax.torch.retrieve(memory, queries)
    np.testing.assert_allclose(found.state, ROWS[:5], atol=1e-3)


def test_a_single_query_other_types_and_random_dynamics(memory, queries):
    assert attrax.torch.retrieve(memory, queries[0]).state.shape == (8,)
    found = attrax.torch.retrieve(memory, queries.bfloat16())
    assert found.index.tolist() == [0, 1, 2, 3, 4]
    assert attrax.torch.retrieve(memory, torch.eye(8, dtype=torch.int64)).state.shape == (8, 8)
    dynamics, key = Langevin(1.0, step=0.01, steps=5), jax.random.key(0)
    agree(
        attrax.torch.retrieve(memory, queries, dynamics, key=key),
        attrax.retrieve(memory, jnp.asarray(queries.numpy()), dynamics, key=key),
    )


@pytest.mark.parametrize(
    ("queries", "known", "error", "text"),
    [
        (torch.ones(8), torch.ones(8), TypeError, "`known` must be boolean"),
        (torch.ones(8).double(), None, TypeError, "`queries` is of float64"),
        (torch.ones(7), None, ValueError, "`queries` must have 8 entries"),
        (torch.full((8,), torch.nan), None, ValueError, "`queries` holds NaN"),
        (torch.ones(8, device="meta"), None, ValueError, "`queries` is on meta"),
        (torch.ones(8), torch.ones(8, device="meta").bool(), ValueError, "`known` is on meta"),
    ],
)
def test_wrong_tensors_are_refused_by_name(memory, queries, known, error, text):
    with pytest.raises(error, match=text):
        attrax.torch.retrieve(memory, queries, known=known)
