"""`SideNetwork`: a network that learns beside a frozen language model, and reads its bank."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.checks import one_key, whole_number
from .bank import Bank
from .contexts import cleared
from .language_model import LanguageBlock, LanguageModel, Predicted
from .nearest import NearestMemory
from .projections import each


class SideNetwork(eqx.Module):
    """Blocks beside a frozen model, of which one reads a bank that the frozen model writes.

    With r blocks of the model to each of its own, and H^l the model's rows after its block l,
    h^l = F^l(h^(l−1)) + (H^(rl) − H^(r(l−1))), h^0 = H^0. F^l starts as the model's block rl, and
    where it changes nothing h^l = H^(rl). The bank holds keys and values of the model's block `at`,
    so that rows which were stored never grow old, however long the blocks learn.

    ```python
    side = SideNetwork(model, memory=NearestMemory(8192, heads=4, k=32, chunk=4), at=2)
    trained = train(side, loss, batches, steps=1000, trainable=SideNetwork.learns)
    ```

    **Arguments:**

    - `model`: a `LanguageModel` without contexts, which is never changed.
    - `memory`: a `NearestMemory` with the heads of the model.
    - `at`: the model's block whose keys and values are stored, from 1; a multiple of `reduction`.
      The side network's block that stands for it reads them.
    - `reduction`: r, which must divide the number of the model's blocks.

    **Raises:** `ValueError` or `TypeError` for parts that do not fit.

    **Source:** [wang2023augmenting]
    """

    model: LanguageModel
    blocks: tuple[LanguageBlock, ...]
    memory: NearestMemory
    at: int = eqx.field(static=True)
    reduction: int = eqx.field(static=True)

    def __init__(self, model: LanguageModel, *, memory: NearestMemory, at: int, reduction: int = 2):
        if not isinstance(model, LanguageModel) or not isinstance(memory, NearestMemory):
            raise TypeError(
                "`model` must be a LanguageModel and `memory` a NearestMemory, but they are "
                f"{type(model).__name__} and {type(memory).__name__}."
            )
        count, reduction = len(model.blocks), whole_number("reduction", reduction)
        if any(block.context is not None for block in model.blocks) or memory.cache:
            raise ValueError("`model` must have no contexts, and `memory` no cache.")
        if count % reduction:
            raise ValueError(
                f"`reduction` must divide the number of blocks, {count}, but it is {reduction}."
            )
        if whole_number("at", at) > count or at % reduction:
            raise ValueError(
                f"`at` must be a multiple of `reduction`, {reduction}, up to {count}, but it is "
                f"{at}."
            )
        self.model, self.memory, self.at, self.reduction = model, memory, at, reduction
        # Weights of their own: a part of a tree is told from others by its identity.
        self.blocks = jax.tree.map(
            lambda leaf: jnp.array(leaf) if eqx.is_array(leaf) else leaf,
            model.blocks[reduction - 1 :: reduction],
        )

    @staticmethod
    def learns(side: "SideNetwork") -> tuple[Any, ...]:
        """The parts that learn, for `trainable` of `attrax.training.train`."""
        return side.blocks, side.memory

    def start(self) -> Bank:
        """A bank of no pairs."""
        return self.memory.start(self.model.blocks[self.at - 1].attention)[0]

    def clear(self, state: Bank, when: Any = True) -> Bank:
        """The bank without rows, where `when` is True."""
        return cleared(state, when)

    def __call__(
        self,
        tokens: ArrayLike,
        state: Bank | None = None,
        *,
        key: Array | None = None,
        inference: bool | None = None,
    ) -> Predicted:
        """Logits of the token after each of a segment, and the bank after it.

        **Arguments:**

        - `tokens`: whole numbers below V, shape (T,).
        - `state`: the bank; `start()` if `None`.
        - `key`, `inference`: as of `LanguageModel`.

        **Returns:** a `Predicted`.

        **Raises:** `ValueError` for wrong tokens.
        """
        bank = self.start() if state is None else state
        frozen = _fixed(self.model)
        below, *_ = frozen.run(tokens, inference=True)
        rows, step, place = below[0], self.reduction, self.at // self.reduction - 1
        keys = [None] * len(self.blocks)
        if key is not None:
            keys = list(jax.random.split(one_key(key), len(self.blocks)))
        for number, (block, seed) in enumerate(zip(self.blocks, keys, strict=True)):
            change = below[(number + 1) * step] - below[number * step]
            rows = self._block(block, rows, bank if number == place else None, seed, inference)
            rows = rows + change
        writer = frozen.blocks[self.at - 1]
        seen = each(writer.around_attention.norm, below[self.at - 1])
        bank = bank.write(*self.memory.pairs(writer.attention, seen))
        return Predicted(frozen.logits(rows), bank, jnp.zeros(()))

    def _block(self, block, rows, bank, key, inference) -> Float[Array, "t d"]:
        """One block of its own, which reads the bank if there is one."""
        seen = each(block.around_attention.norm, rows)
        step = block.read(seen, None)
        if bank is not None:
            value = self.memory.read(block.attention, seen, bank)
            step = step._replace(output=block.attention.joined(value, seen))
        return block.joined(rows, step, key=key, inference=inference).output


def _fixed(model: LanguageModel) -> LanguageModel:
    weights, rest = eqx.partition(model, eqx.is_array)
    return eqx.combine(jax.lax.stop_gradient(weights), rest)
