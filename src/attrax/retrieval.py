"""`retrieve`: run queries to their attractors."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from .common.buckets import bucket, cut, join, take
from .common.checks import (
    as_floats,
    as_mask,
    as_type,
    check_index,
    is_concrete,
    one_key,
    shape_of,
    whole_number,
)
from .common.display import lines, shaped, spread, table
from .dynamics.asynchronous import Asynchronous
from .dynamics.base import AbstractDynamics, Outcome, check_dynamics, check_key, finite
from .dynamics.certificate import Certificate
from .dynamics.certificate import certify as certified
from .dynamics.engine import QUERIES
from .dynamics.iterate import Iterate, OneRead
from .spaces.base import Comparing, Counting, Reaching
from .spaces.confidence import FEW_STRANGERS, STRANGERS, strangers
from .spaces.confidence import confidence as confidence_of
from .spaces.store import AbstractStore

# Two states of equal weight make an effective number of 2; below this one memory rules.
_MIXTURE = 1.5
# How many queries run together, by whether they are read once.
_CHUNKS = {False: 512, True: 1024}
_MANY = 256


class Retrieval(eqx.Module):
    """What `retrieve` found; leading axes are those of the queries.

    - `state` (..., v): what the memory answers.
    - `outcome` (...): how each ended, an `Outcome`: print it, index it, compare it with a member.
    - `steps` (...): steps taken.
    - `energy` (...): of the final state; `None` where the memory has no energy, and after a single
      read, `OneRead`, which takes one pass over the memories where the energy of what was read
      would take another: it is the last of `energies` with `path=True`.
    - `memories` (...): how many memories share the weight at the end, 1 for a clean recall;
      `None` for separations whose weights do not sum to one.
    - `index` (...): the stored row that the answer stands for: the one that scored best in the read
      that gave the answer, and the first of those that tie up to rounding. At an attractor it is
      the row that the state is most like. It is −1 if no row takes part, and `None` for memories
      that keep no rows.
    - `confidence` (...): how sure it is, from 0 to 1, that the query is a damaged copy of that row,
      and not of something unrelated to what is stored; `None` unless asked for.
    - `path` (..., steps + 1, v): all states, the query first; for memories with values, or with
      rows that are standardised, what was read in each step. `None` unless asked for.
    - `energies` (..., steps + 1): along the path; `None` likewise. With `known`, reads answer to
      the known entries alone while the energy compares all, so it need not fall there.
    - `certificate`: whether the energy fell all along, or where and by how much it rose; `None`
      unless asked for.
    """

    state: Float[Array, "*q v"]
    outcome: Any
    steps: Int[Array, "*q"]
    energy: Float[Array, "*q"] | None
    memories: Float[Array, "*q"] | None
    index: Int[Array, "*q"] | None
    confidence: Float[Array, "*q"] | None
    path: Float[Array, "*q s v"] | None
    energies: Float[Array, "*q s"] | None
    certificate: Certificate | None

    def summary(self) -> str:
        """How many retrievals ended in which way, one line a way, with the remedy."""
        size = int(np.prod(self.outcome.shape))
        counts = self.outcome.counts().items()
        return "\n".join(
            f"{count} of {size}: {Outcome[getattr(Outcome, name)]}" for name, count in counts
        )

    def raise_unless(self, *wanted: Outcome) -> "Retrieval":
        """This retrieval itself, if every query ended in a wanted way.

        ```python
        state = attrax.retrieve(memory, queries).raise_unless(Outcome.converged).state
        ```

        **Arguments:**

        - `wanted`: outcomes to be content with; `Outcome.converged` if none is given.

        **Raises:** `RuntimeError` that says how many ended otherwise, where the first of them are,
        and the remedy; `ValueError` under jit, where outcomes are not known yet.
        """
        if not is_concrete(self.outcome._value):
            raise ValueError("`raise_unless` looks at outcomes: call it outside jit.")
        wanted = wanted or (Outcome.converged,)
        good = np.zeros(self.outcome.shape, bool)
        for outcome in wanted:
            good |= np.asarray(self.outcome == outcome)
        if good.all():
            return self
        wrong = np.argwhere(~good)
        places = [int(at[0]) if at.size == 1 else tuple(map(int, at)) for at in wrong[:5]]
        where = ", ".join(map(str, places)) + (" and others" if len(wrong) > 5 else "")
        others = self.outcome[~good] if good.ndim else self.outcome
        texts = [
            f"{count}: {Outcome[getattr(Outcome, name)]}" for name, count in others.counts().items()
        ]
        raise RuntimeError(
            f"{len(wrong)} of {good.size} retrievals did not end as "
            f"{' or '.join(each.name for each in wanted)}"
            f"{f', at {where}' if good.ndim else ''}. {' '.join(texts)}"
        )

    def __getitem__(self, index) -> "Retrieval":
        """The retrieval of one query, of a slice, or of a mask, along the axes of the queries."""
        if not self.outcome.shape:
            raise IndexError("This is the retrieval of one query, which cannot be indexed.")
        check_index(index, self.outcome.shape)
        return jax.tree.map(lambda leaf: leaf[index], self)

    def __iter__(self):
        """One query after another, along the first axis."""
        return (self[i] for i in range(len(self.outcome)))

    def __repr__(self) -> str:
        """Outcomes, shapes and ranges in a few lines."""
        return lines(*self._rows())

    def _repr_html_(self) -> str:
        """The same as a table, as notebooks show it."""
        return table(*self._rows())

    def _rows(self) -> tuple[str, list[tuple[str, str]]]:
        rows = [("state", shaped(self.state))]
        outcome = self.outcome
        if isinstance(outcome, Outcome):
            rows.append(("outcome", repr(outcome).partition(": ")[2] or repr(outcome)))
        for name in ("steps", "energy", "memories", "index", "confidence"):
            value = getattr(self, name)
            if value is not None:
                rows.append((name, spread(value)))
        for name in ("path", "energies"):
            if getattr(self, name) is not None:
                rows.append((name, shaped(getattr(self, name))))
        if self.certificate is not None:
            rows.append(("certificate", repr(self.certificate).removeprefix("Certificate: ")))
        shape = (shape_of(self.state) or ())[:-1]
        title = "Retrieval of one query" if not shape else f"Retrieval of queries {tuple(shape)}"
        return title, rows


def retrieve(
    memory: AbstractStore,
    queries: ArrayLike,
    dynamics: AbstractDynamics | None = None,
    *,
    known=None,
    chunk: int | None = None,
    path: bool = False,
    certify: bool = False,
    confidence: bool = False,
    progress: bool | Callable[[int, int], None] | None = None,
    key: Array | None = None,
) -> Retrieval:
    """Run queries to their attractors.

    ```python
    found = attrax.retrieve(memory, queries)              # (..., d)
    found = attrax.retrieve(memory, queries, known=mask)  # complete patterns
    found.state, found.outcome, found.steps, found.energy
    ```

    **Arguments:**

    - `memory`: what is asked: a `Memory`, `MatrixMemory`, `HierarchicalMemory`, or a store of your
      own.
    - `queries`: states to start from, shape (..., d), in the units of the patterns.
    - `dynamics`: one of `attrax.dynamics`. `None` is `Iterate()`, for memories of two-state units
      that can move one after another `Asynchronous()`, and `OneRead()` where what is read is not
      of the kind of queries.
    - `known`: True for the entries that are right, shape (d,) or that of the queries. They are
      kept, and memories are compared by them alone; other entries of a query may be anything,
      NaN too.
    - `chunk`: how many queries run together at most. Each chunk waits for its slowest query. `None`
      is 512, and 1024 for a single read, in which none waits.
    - `path`: keep every state and energy; takes memory for `max_steps` states a query.
    - `certify`: watch the energy in every step; `found.certificate` then says that it never rose,
      or where and by how much. It takes the memory of a path.
    - `confidence`: fill in `found.confidence`: how sure it is that each query is a damaged copy of
      the row that its answer stands for. A copy is ahead of every other row by much the same share
      of what the row itself is ahead by; the confidence is 1 − p, with p the share of strangers
      whose lead is as even, or less where none has it. Strangers are up to 256 stored rows, each
      asked of the others; equal rows count as one. So 0.95 is had by about 5 % of queries that are
      not stored but of the kind of the rows, and by no more of noise and of other kinds. It is 0
      where fewer than four different rows are stored, since these say nothing of strangers, and
      where scores of rows with themselves are not finite. It takes two passes over the rows a
      query, and 512 for the strangers; where queries have masks of their own, 128 for each.
    - `progress`: True for a bar (`pip install "attrax[progress]"`), or a function that is called
      with (queries done, queries in all) after each chunk. Not under jit.
    - `key`: of random dynamics, `jax.random.key(0)` say; each query has its own part of it.

    **Returns:** a `Retrieval`.

    **Raises:** `ValueError` or `TypeError` for wrong shapes, NaN in known entries, masks that are
    not boolean, a `known` that knows nothing, random dynamics without a `key`, or dynamics that
    would leave the states of two-state units, or a `confidence` of a memory that keeps no rows;
    `NoEnergyError` if there is no energy to certify.
    """
    if not isinstance(memory, AbstractStore):
        what = f"the class {memory.__name__}" if isinstance(memory, type) else type(memory).__name__
        raise TypeError(
            f"`memory` must be a memory, an attrax.stores.AbstractStore, but it is {what}; "
            "make one with attrax.Memory(patterns)."
        )
    dynamics = _usual(memory) if dynamics is None else dynamics
    check_dynamics(dynamics, memory.units)
    chunk = _CHUNKS[dynamics.single] if chunk is None else whole_number("chunk", chunk)
    key = None if key is None else one_key(key)
    check_key(dynamics, key)
    queries, known = _checked(memory, queries, known)
    if not memory.recurrent:
        _check_single(dynamics, path or certify, known)
    leading = queries.shape[:-1]
    flat = queries.reshape(-1, queries.shape[-1])
    masks = known
    if known is not None and known.ndim > 1:
        masks = known.reshape(flat.shape)
    strange = _strangers(memory, flat[0], masks) if confidence else None
    how = _How(memory, dynamics, path, certify, confidence, strange)
    concrete = is_concrete(*jax.tree.leaves((how, flat, masks, key)))
    if progress is not None and progress is not False:
        if not concrete:
            raise ValueError("`progress` needs concrete queries; leave it out under jit.")
        report, close = (progress, _nothing) if callable(progress) else _bar(flat.shape[0])
    else:
        report, close = _nothing, _nothing
    if concrete:
        found = _in_buckets(how, flat, masks, key, chunk, report)
    else:
        found = _in_chunks(how, flat, masks, key, chunk)
    close()
    return jax.tree.map(lambda leaf: cut(leaf, leading), found)


def _usual(memory: AbstractStore) -> AbstractDynamics:
    """What a memory's states are run by where nothing was said."""
    if memory.units != "real" and memory.sequential:
        return Asynchronous()
    return Iterate() if memory.recurrent else OneRead()


def _check_single(dynamics, watched, known):
    """Refuse more than one read of a memory whose reads cannot be read again."""
    if not dynamics.single or watched or known is not None:
        raise ValueError(
            "This memory reads what is not of the kind of queries, so it is read once: leave out "
            "`dynamics`, `path`, `certify` and `known`."
        )


def _checked(memory, queries, known):
    if known is not None:
        known = as_mask("known", known, None, "the entry is right")
    queries = as_floats("queries", queries, known=known)
    width = memory.width
    if queries.ndim == 0 or queries.shape[-1] != width:
        raise ValueError(
            f"`queries` must have {width} entries along their last axis, like the stored "
            f"patterns, but their shape is {queries.shape}."
        )
    if queries.size == 0:
        raise ValueError(f"`queries` are empty: their shape is {queries.shape}.")
    memory.check_queries("queries", queries, known)
    return as_type("queries", queries, memory.query_dtype), known


class _How(eqx.Module):
    """What all queries share."""

    memory: AbstractStore
    dynamics: AbstractDynamics
    path: bool = eqx.field(static=True)
    certify: bool = eqx.field(static=True)
    confidence: bool = eqx.field(static=True)
    strange: Float[Array, " m"] | None


def _strangers(memory, query, known):
    """How uneven the leads of strangers are; `None` where that differs from query to query."""
    if not isinstance(memory.space(query), Comparing):
        raise TypeError(f"A {type(memory).__name__} keeps no rows to be sure of: no `confidence`.")
    if known is not None and known.ndim > 1:
        if not is_concrete(known) or not np.all(np.asarray(known) == np.asarray(known[0])):
            return None
        known = known[0]
    return _asked(memory, query, known)


@eqx.filter_jit
def _asked(memory, query, known):
    return strangers(memory.space(query, known), STRANGERS)


def _in_buckets(how: _How, queries, known, key, chunk: int, report) -> Retrieval:
    """All queries, one call a chunk, each of a size of which there are few.

    Every number of queries then finds a program that is compiled already. A chunk that is not
    full is filled up with its last query, so that it never runs longer.
    """
    count = queries.shape[0]
    each = known if known is not None and known.ndim > 1 else None
    parts, begin = [], 0
    while begin < count:
        size = _size(count - begin, chunk)
        there = min(size, count - begin)
        rows, masks = take(queries, begin, size), known if each is None else take(each, begin, size)
        found = _run(how, rows, masks, key, np.uint32(begin))
        parts.append(jax.tree.map(lambda leaf, n=there: cut(leaf, (n,)), found))
        begin += there
        if report is not _nothing:
            jax.block_until_ready(found.steps)
            report(begin, count)
    return parts[0] if len(parts) == 1 else jax.tree.map(join, *parts)


def _size(count: int, chunk: int) -> int:
    """How many of the queries left run together: a power of four, or a whole chunk."""
    size = min(bucket(count), chunk)
    # Queries that fill less than three quarters of many run faster as several full chunks.
    smaller = bucket(size) // 4
    return smaller if smaller >= _MANY and count < 0.75 * size else size


@eqx.filter_jit
def _in_chunks(how: _How, queries, known, key, chunk: int) -> Retrieval:
    """All queries within one program, as under jit; chunks are of equal size."""
    count = queries.shape[0]
    parts = -(-count // chunk)
    size = -(-count // parts)
    if parts == 1:
        return _run(how, queries, known, key, jnp.uint32(0))
    index = jnp.minimum(jnp.arange(parts * size, dtype=jnp.uint32), count - 1).reshape(parts, size)
    each = known if known is not None and known.ndim > 1 else None

    def batch(index):
        masks = known if each is None else each[index]
        return _run(how, queries[index], masks, key, index[0])

    found = jax.lax.map(batch, index)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found)


@eqx.filter_jit
def _run(how: _How, queries, known, key, begin) -> Retrieval:
    """A chunk of queries side by side, of which the first has number `begin`."""
    each = None if known is None or known.ndim == 1 else 0
    if key is None:
        keys = None
    else:
        # Keys as `jax.random.split` would give them for any number of queries.
        numbers = begin + jnp.arange(queries.shape[0], dtype=jnp.uint32)
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)
    random = None if keys is None else 0
    run = jax.vmap(_one, (None, 0, each, random), axis_name=QUERIES)
    return run(how, queries, known, keys)


def _one(how: _How, query, known, key) -> Retrieval:
    space = how.memory.space(query, known)
    watched = how.path or how.certify
    run = how.dynamics.run(space, space.initial, path=watched, key=key)
    answer = space.answer(run.state, run.reading)
    outcome, memories = run.outcome, answer.memories
    # A single read is not looked at in key space, which would take another pass.
    if isinstance(space, Counting) and run.reading is not None and not how.dynamics.single:
        memories = space.count_different(run.reading, answer.best)
    if memories is not None:
        mixed = (memories > _MIXTURE) & (outcome == Outcome.converged)
        outcome = Outcome.where(mixed, Outcome.mixture, outcome)
    if isinstance(space, Reaching):
        far = space.unreached(run.state, run.reading)
        if far is not None:
            rests = (outcome == Outcome.converged) | (outcome == Outcome.one_read)
            outcome = Outcome.where(far & rests, Outcome.unreached, outcome)
    # A read can leave the range of the rows' own type, and a read of values what keys did not.
    outcome = Outcome.where(finite(answer.state), outcome, Outcome.diverged)
    states = energies = None
    if how.path:
        states = space.record(run.path)
        if answer.energy is not None:
            energies = jax.lax.map(space.energy, run.path)
    certificate = certified(space, run.path) if how.certify else None
    return Retrieval(
        answer.state,
        outcome,
        run.steps,
        None if how.dynamics.single else answer.energy,
        memories,
        answer.best,
        _confidence(how, space, answer.best),
        states,
        energies,
        certificate,
    )


def _confidence(how: _How, space, best):
    """How sure the row is that the answer stands for; `None` where that was not asked."""
    if not how.confidence or not isinstance(space, Comparing) or best is None:
        return None
    strange = strangers(space, FEW_STRANGERS) if how.strange is None else how.strange
    return confidence_of(space, best, strange)


def _nothing(*_: int) -> None:
    """No report."""


def _bar(total: int):
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError(
            'A progress bar needs tqdm: pip install "attrax[progress]", or pass a function.'
        ) from None
    bar = tqdm(total=total, unit="query")
    return (lambda done, _: bar.update(done - bar.n)), bar.close
