"""Tasks added to a vision transformer that stays as it is: a class token, rows to read, a head."""

from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from ..common.checks import one_key, one_of, whole_number
from .image_transformer import ImageTransformer
from .projections import each, normal

ATTENTION = ("concatenated", "extended", "full")


class MemoryTokens(eqx.Module):
    """A task for a transformer that is trained already: a class token, rows to read, and a head.

    The m rows of a layer are keys and values that the tokens read there beside one another. They
    go through the layer's own norm and maps, and each layer has rows of its own. A task has
    m D L + D numbers, and (D + 1) C of its head.

    **Arguments:**

    - `backbone`: the `ImageTransformer` that it is for, of L layers and tokens of D entries.
    - `classes`: C, how many logits the task has.
    - `rows`: m ≥ 0, how many rows each layer has.
    - `deviation`: standard deviation of the class token and of all rows at the start.
    - `key`: a `jax.random.key` that draws them.

    **Raises:** `ValueError` or `TypeError` for what does not fit.

    **Source:** [sandler2022fine]
    """

    token: Float[Array, " d"]
    rows: Float[Array, "l m d"]
    head: eqx.nn.Linear

    def __init__(
        self,
        backbone: ImageTransformer,
        classes: int,
        rows: int = 5,
        *,
        deviation: float = 0.02,
        key: Array,
    ):
        _check_backbone(backbone)
        shape = backbone.depth, whole_number("rows", rows, 0), backbone.size
        keys = jax.random.split(one_key(key), 3)
        self.token = normal(shape[2:], deviation, keys[0])
        self.rows = normal(shape, deviation, keys[1])
        self.head = eqx.nn.Linear(shape[2], whole_number("classes", classes), key=keys[2])


class AdaptedTransformer(eqx.Module):
    """A vision transformer and its tasks in one pass, each with logits of its own.

    The class tokens C_t of all tasks stand behind those of the image. A mask says which token
    reads which tokens and rows M_t in every block:

    - "concatenated": C_t reads the image's tokens, itself and M_t. So each task answers as if it
      were alone.
    - "extended": C_t also reads C_u and M_u of the tasks u before it. So each task answers as if
      those after it were not there, and is trained after those before it.
    - "full": every token reads all. So the tokens of the image change, and with them the answers
      of all tasks.

    In the first two, tokens of the image read one another only. So the transformer's own logits
    stay what they were. To learn a task is to train its part alone:

    ```python
    model = AdaptedTransformer(backbone, [MemoryTokens(backbone, 5, key=key)])
    trained = attrax.training.train(model, loss, data, trainable=lambda m: m.tasks[-1], steps=400)
    old, new = trained.model(image)
    ```

    **Arguments:**

    - `backbone`: an `ImageTransformer`.
    - `tasks`: one or several `MemoryTokens` made for it, in order.
    - `attention`: "concatenated", "extended" or "full".

    **Raises:** `ValueError` or `TypeError` for what does not fit.

    **Source:** [sandler2022fine]
    """

    backbone: ImageTransformer
    tasks: tuple[MemoryTokens, ...]
    attention: str = eqx.field(static=True)

    def __init__(
        self,
        backbone: ImageTransformer,
        tasks: Sequence[MemoryTokens],
        attention: Literal["concatenated", "extended", "full"] = "concatenated",
    ):
        _check_backbone(backbone)
        if not isinstance(tasks, list | tuple) or not tasks:
            raise TypeError(
                "`tasks` must be a list of one or several MemoryTokens, but it is "
                f"{'empty' if isinstance(tasks, list | tuple) else type(tasks).__name__}."
            )
        for i, task in enumerate(tasks):
            if not isinstance(task, MemoryTokens):
                raise TypeError(
                    f"`tasks[{i}]` must be a MemoryTokens, but it is {type(task).__name__}."
                )
            if task.rows.shape[::2] != (backbone.depth, backbone.size):
                raise ValueError(
                    f"`tasks[{i}]` must be made for a transformer of {backbone.depth} layers and "
                    f"tokens of {backbone.size} entries, but its rows have shape "
                    f"{task.rows.shape}."
                )
        one_of("attention", attention, ATTENTION)
        self.backbone, self.tasks, self.attention = backbone, tuple(tasks), attention

    @property
    def mask(self) -> Bool[Array, "n k"]:
        """True where a token reads a token, or a row that a task has in each layer.

        **Returns:** shape (n, n + Σ m) of n = 1 + P + T tokens: those of the image, the class
        tokens of T tasks, then the rows of all tasks in order.
        """
        owners = np.arange(len(self.tasks))
        tokens = np.concatenate([np.full(1 + self.backbone.patches, -1), owners])
        keys = np.concatenate([tokens, np.repeat(owners, [t.rows.shape[1] for t in self.tasks])])
        if self.attention == "full":
            return jnp.ones((tokens.size, keys.size), bool)
        if self.attention == "extended":
            return jnp.asarray(keys[None] <= tokens[:, None])
        return jnp.asarray((keys[None] < 0) | (keys[None] == tokens[:, None]))

    def __call__(self, image: ArrayLike) -> tuple[Float[Array, " c"], ...]:
        """The logits of an image: the transformer's own, then those of each task.

        **Arguments:**

        - `image`: of the shape that the transformer takes.

        **Returns:** one array of shape (classes,) each.

        **Raises:** `ValueError` for an image of another shape.
        """
        backbone = self.backbone
        image = backbone.tokens(image)
        own = jnp.stack([task.token for task in self.tasks]).astype(image.dtype)
        memory = jnp.concatenate([task.rows for task in self.tasks], axis=1)
        if self.attention == "full":
            rows = backbone.encode(jnp.concatenate([image, own]), memory)
            image, own = jnp.split(rows, [image.shape[0]])
        else:
            image, own = self._apart(image, own, memory)
        answers = [task.head(row) for task, row in zip(self.tasks, own, strict=True)]
        return (backbone.head(image[0]), *answers)

    def _apart(self, image, own, memory):
        """The tokens of the image, which read one another only, and the class tokens of tasks.

        In two parts, so that training a task takes no slopes of the image's tokens.
        """
        n, both = image.shape[0], image.shape[0] + own.shape[0]
        mask = jnp.split(self.mask[n:], (n, both), axis=1)
        mask = jnp.concatenate([mask[1], mask[0], mask[2]], axis=1)
        stacked, rest = eqx.partition(self.backbone.blocks, eqx.is_array)

        def pass_block(rows, given):
            (image, own), (arrays, beside) = rows, given
            block: Any = eqx.combine(arrays, rest)
            read = jnp.concatenate([image, beside.astype(image.dtype)])
            return (block(image), block(own, memory=read, mask=mask)), None

        rows, _ = jax.lax.scan(pass_block, (image, own), (stacked, memory))
        return tuple(each(self.backbone.norm, x).astype(x.dtype) for x in rows)


def _check_backbone(backbone) -> None:
    """Refuse what is no vision transformer."""
    if not isinstance(backbone, ImageTransformer):
        raise TypeError(
            f"`backbone` must be an ImageTransformer, but it is {type(backbone).__name__}."
        )
