"""Layers that bring their own queries, or their own memories."""

import equinox as eqx
import jax
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import GIVEN, as_floats, one_key, whole_number
from ..stores.rows import Memory
from .hopfield import Association, HopfieldAttention
from .projections import normal


class Rows(eqx.Module):
    """Rows that a layer brings: learnt, or given and left as they are, by weight decay too."""

    learnt: Float[Array, "n d"] | None
    given: Float[Array, "n d"] | None = eqx.field(metadata=GIVEN)

    def __init__(self, rows: Float[Array, "n d"], trainable: bool):
        self.learnt, self.given = (rows, None) if trainable else (None, rows)

    @property
    def value(self) -> Float[Array, "n d"]:
        """The rows, without a slope where they are given."""
        if self.given is not None:
            return jax.lax.stop_gradient(self.given)
        assert self.learnt is not None
        return self.learnt


class HopfieldPooling(eqx.Module):
    """Learnt queries read a bag of rows: a set of any size becomes `quantity` vectors.

    The order of the rows does not matter. Each learnt query is the state of a memory of the bag's
    rows, and finds what is like it, however many other rows there are.

    ```python
    pool = HopfieldPooling(32, quantity=2, key=key)
    pool(bag)                    # (N, 32) -> (2, 32)
    pool(bag, mask=there)        # rows that are padding say nothing
    ```

    **Arguments:**

    - `size`: entries of a row of the bag.
    - `quantity`: how many queries are learnt.
    - `query_size`: entries of a query; `size`, or `head_size` where queries are not projected, if
      `None`.
    - `queries`: those to start with, shape (quantity, query_size); normal numbers if `None`.
    - `attention`: a `HopfieldAttention` to read with, instead of `options`.
    - `trainable`: whether the queries learn.
    - `key`: of the weights at the start.
    - `options`: those of `HopfieldAttention`, `heads` and `steps` among them.

    **Raises:** as `HopfieldAttention`.

    **Source:** [ramsauer2021hopfield]
    """

    attention: HopfieldAttention
    rows: Rows

    def __init__(
        self,
        size: int,
        *,
        quantity: int = 1,
        query_size: int | None = None,
        queries: ArrayLike | None = None,
        attention: HopfieldAttention | None = None,
        trainable: bool = True,
        key: Array,
        **options,
    ):
        own, inner = jax.random.split(one_key(key))
        if attention is None:
            query_size = size if query_size is None else query_size
            options.setdefault("output_size", _output_size(size, options))
            attention = HopfieldAttention(query_size, size, key=inner, **options)
        elif options:
            raise ValueError(f"{', '.join(options)} must not be given beside `attention`.")
        self.attention = _fitting(attention, "key_size", size)
        shape = whole_number("quantity", quantity), attention.query_size
        start = normal(shape, attention.deviation, own)
        if queries is not None:
            start = as_floats("queries", queries, ndim=2)
        if start.shape != shape:
            raise ValueError(f"`queries` must have shape {shape}, but have {start.shape}.")
        self.rows = Rows(start, trainable)

    @property
    def queries(self) -> Float[Array, "q d"]:
        """The queries, shape (quantity, query_size)."""
        return self.rows.value

    def __call__(
        self,
        bag: ArrayLike,
        values: ArrayLike | None = None,
        *,
        mask=None,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "q o"]:
        """What the learnt queries read of a bag.

        **Arguments:**

        - `bag`: shape (N, size).
        - `values`: what is read, one row for each of the bag; the bag if `None`.
        - `mask`, `key`, `inference`: as of `HopfieldAttention`; True for rows that take part.

        **Returns:** shape (quantity, output_size), one row a query.

        **Raises:** `ValueError` for wrong shapes.
        """
        own = {"mask": mask, "key": key, "inference": inference}
        return self.attention(self.queries, bag, values, **own)

    def read(self, bag, values=None, *, mask=None) -> Association:
        """All that one pass gives, the weights of the bag's rows among it."""
        return self.attention.read(self.queries, bag, values, mask=mask)


class HopfieldLookup(eqx.Module):
    """Rows ask memories that are learnt: a table of `memories` keys, with or without own values.

    ```python
    lookup = HopfieldLookup(16, memories=64, key=key)
    lookup(x)                                              # (S, 16) -> (S, 16)
    HopfieldLookup(16, memories=x_train, values=8, key=key)   # keys start at data; 8-d values
    ```

    **Arguments:**

    - `size`: entries of a row of the input.
    - `memories`: how many are learnt, ≥ 2, or those to start with, shape (M, key_size): the softmax
      of one memory is 1 whatever is asked.
    - `values`: entries of a value to be learnt for each memory, or the values to start with, shape
      (M, value_size). `None` reads the memories.
    - `key_size`: entries of a memory; `size` if `None`.
    - `attention`: a `HopfieldAttention` to read with, instead of `options`.
    - `trainable`, `trainable_values`: whether memories and values learn.
    - `key`: of the weights at the start.
    - `options`: those of `HopfieldAttention`.

    **Raises:** as `HopfieldAttention`; `ValueError` for fewer than two memories.

    **Source:** [ramsauer2021hopfield]
    """

    attention: HopfieldAttention
    rows: Rows
    value_rows: Rows | None

    def __init__(
        self,
        size: int,
        *,
        memories: int | ArrayLike,
        values: int | ArrayLike | None = None,
        key_size: int | None = None,
        attention: HopfieldAttention | None = None,
        trainable: bool = True,
        trainable_values: bool = True,
        key: Array,
        **options,
    ):
        own, other, inner = jax.random.split(one_key(key), 3)
        deviation = options.get("deviation", 0.02) if attention is None else attention.deviation
        if isinstance(memories, int):
            width = size if key_size is None else key_size
            memories = normal((whole_number("memories", memories, 2), width), deviation, own)
        memories = as_floats("memories", memories, ndim=2)
        if memories.shape[0] < 2:
            raise ValueError("`memories` must be two or more: of one alone the weight is always 1.")
        if isinstance(values, int):
            shape = memories.shape[0], whole_number("values", values)
            values = normal(shape, deviation, other)
        values = None if values is None else as_floats("values", values, ndim=2)
        if values is not None and values.shape[0] != memories.shape[0]:
            raise ValueError(
                f"`values` must have one row a memory, {memories.shape[0]}, but their shape "
                f"is {values.shape}."
            )
        width = memories.shape[1]
        if attention is None:
            values_width = None if values is None else values.shape[1]
            attention = HopfieldAttention(size, width, values_width, key=inner, **options)
        elif options:
            raise ValueError(f"{', '.join(options)} must not be given beside `attention`.")
        self.attention = _fitting(_fitting(attention, "query_size", size), "key_size", width)
        self.rows = Rows(memories, trainable)
        self.value_rows = None if values is None else Rows(values, trainable_values)

    @property
    def memories(self) -> Float[Array, "m d"]:
        """The table's keys, shape (M, key_size)."""
        return self.rows.value

    @property
    def values(self) -> Float[Array, "m v"] | None:
        """Their values, shape (M, value_size); `None` where memories themselves are read."""
        return None if self.value_rows is None else self.value_rows.value

    def __call__(
        self,
        query: ArrayLike,
        *,
        mask=None,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Float[Array, "s o"]:
        """What rows find in the table.

        **Arguments:**

        - `query`: shape (S, size).
        - `mask`, `key`, `inference`: as of `HopfieldAttention`; True for memories that take part.

        **Returns:** shape (S, output_size).

        **Raises:** `ValueError` for wrong shapes.
        """
        own = {"mask": mask, "key": key, "inference": inference}
        return self.attention(query, self.memories, self.values, **own)

    def read(self, query, *, mask=None) -> Association:
        """All that one pass gives, the weights of the memories among it."""
        return self.attention.read(query, self.memories, self.values, mask=mask)

    def memory(self, *, head: int = 0) -> Memory:
        """One head as an `attrax.Memory` of the table, for queries in key space."""
        return self.attention.memory(self.memories, self.values, head=head)


def _output_size(size, options):
    """That of the bag's rows, where the output is projected at all."""
    project = options.get("project", True)
    projected = project is True or (project is not False and "output" in project)
    return size if projected else None


def _fitting(attention, name, size) -> HopfieldAttention:
    """An attention whose inputs are of a size.

    **Raises:** `TypeError` if it is none, `ValueError` if they are not.
    """
    if not isinstance(attention, HopfieldAttention):
        raise TypeError(
            f"`attention` must be a HopfieldAttention, but it is {type(attention).__name__}."
        )
    own = {"query_size": attention.query_size, "key_size": attention.key_size}[name]
    if own != size:
        raise ValueError(f"`{name}` of `attention` must be {size}, but it is {own}.")
    return attention
