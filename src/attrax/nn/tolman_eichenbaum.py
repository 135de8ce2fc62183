"""`TolmanEichenbaum`: a transformer whose position codes are the state of a recurrent network."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..common.arithmetic import accumulate, inverse_root
from ..common.checks import POSITIVE, as_indices, one_key, positive, whole_number
from ..separation.softmax import Softmax
from ..similarity import Dot
from ..stores.rows import Memory
from .path_integration import integrate_path
from .path_memory import recall_path, write_gate
from .projections import linear, mapped, normal


class TolmanEichenbaum(eqx.Module):
    """TEM-t: predicts the next observation from a memory whose keys are where things were seen.

    A position code follows the actions, g_{t+1} = g_t W_a with one learnt matrix an action. Its
    standardised form makes queries and keys by the same map, e_t = W_e z(g_t), and observations
    make values, x̃_t = W_x x_t. Step t reads y_t = Σ_τ softmax_τ(β ln n · e_t·e_τ/√d) x̃_τ over
    the n steps τ < t that were stored, and predicts softmax(W_o y_t + b). The memory is new in
    every world; what is learnt is how actions move the code, which all worlds share.

    The matrices W_a start orthogonal and independent of one another, so that codes keep their
    length along a path. Training has to find which actions undo one another and which commute.

    ```python
    model = TolmanEichenbaum(actions=4, symbols=12, size=32, key=key)
    logits = model(walk.actions, walk.observations)  # (T, 12), each from what was before it
    ```

    **Arguments:**

    - `actions`: how many there are.
    - `symbols`: how many observations there are.
    - `size`: g, entries of the position code.
    - `key_size`: d, entries of queries and keys; `size` if `None`.
    - `value_size`: entries of values; `size` if `None`.
    - `beta`: β > 0, which is learnt.
    - `threshold`: of the write gate on (e, x), see `write_gate`; all steps are stored if `None`.
    - `key`: of the weights.

    **Raises:** `ValueError` or `TypeError` that names the argument.

    **Source:** [whittington2022relating]
    """

    start: Float[Array, " g"]
    transitions: Float[Array, "a g g"]
    key_map: eqx.nn.Linear
    value_map: eqx.nn.Linear
    head: eqx.nn.Linear
    beta: Float[Array, ""] = eqx.field(metadata=POSITIVE)
    threshold: float | None = eqx.field(static=True)

    def __init__(
        self,
        actions: int,
        symbols: int,
        size: int,
        *,
        key_size: int | None = None,
        value_size: int | None = None,
        beta: float | Array = 1.0,
        threshold: float | None = None,
        key: Array,
    ):
        actions, symbols = whole_number("actions", actions), whole_number("symbols", symbols)
        size = whole_number("size", size, least=2)
        key_size = size if key_size is None else whole_number("key_size", key_size)
        value_size = size if value_size is None else whole_number("value_size", value_size)
        if threshold is not None:
            threshold = float(positive("threshold", threshold))
        keys = jax.random.split(one_key(key), 5)
        self.transitions = jax.random.orthogonal(keys[0], size, (actions,))
        self.start = normal((size,), 1.0, keys[1])
        self.key_map = linear(size, key_size, bias=False, deviation=size**-0.5, key=keys[2])
        self.value_map = linear(symbols, value_size, bias=False, deviation=1.0, key=keys[3])
        self.head = linear(value_size, symbols, bias=True, deviation=value_size**-0.5, key=keys[4])
        self.beta, self.threshold = positive("beta", beta), threshold

    @property
    def symbols(self) -> int:
        """How many observations there are."""
        return self.value_map.weight.shape[1]

    def codes(self, actions: ArrayLike) -> Float[Array, "t g"]:
        """The position code of each step of a path.

        **Arguments:**

        - `actions`: whole numbers, shape (T − 1,).

        **Returns:** shape (T, g).

        **Raises:** `ValueError` or `TypeError` for what are not actions.
        """
        actions = as_indices("actions", actions, len(self.transitions))
        return integrate_path(lambda code, a: code @ self.transitions[a], actions, self.start)

    def keys(self, codes: Float[Array, "t g"]) -> Float[Array, "t d"]:
        """Queries and keys of position codes, e = W_e z(g)/d^¼: their products are the scores."""
        wide = codes.astype(accumulate(codes.dtype))
        centred = wide - jnp.mean(wide, axis=1, keepdims=True)
        spread = inverse_root(jnp.mean(centred**2, axis=1, keepdims=True) + 1e-6)
        rows = mapped(self.key_map, centred * spread)
        return rows / rows.shape[1] ** 0.25

    def __call__(self, actions: ArrayLike, observations: ArrayLike) -> Float[Array, "t s"]:
        """The logits of the observation of each step, from those of the steps before it.

        **Arguments:**

        - `actions`: whole numbers, shape (T − 1,); entry t led from step t to step t + 1.
        - `observations`: whole numbers, shape (T,).

        **Returns:** shape (T, symbols).

        **Raises:** `ValueError` or `TypeError` for what does not fit.
        """
        keys, seen, written = self._path(actions, observations)
        values = mapped(self.value_map, seen)
        return mapped(self.head, recall_path(keys, values, beta=self.beta, written=written))

    def memory(self, actions: ArrayLike, observations: ArrayLike) -> Memory:
        """What is stored at the end of a path, with the logits of what was seen as values.

        Read with `keys(codes)`, it answers what the model would predict there.

        **Arguments:** see `__call__`.
        """
        keys, seen, written = self._path(actions, observations)
        count = len(keys) if written is None else jnp.sum(written)
        beta = self.beta * jnp.log(jnp.maximum(jnp.asarray(count, float), 2.0))
        values = mapped(self.head, mapped(self.value_map, seen))
        return Memory(keys, values, similarity=Dot(), separation=Softmax(beta), filled=written)

    def _path(self, actions, observations):
        observations = as_indices("observations", observations, self.symbols)
        codes = self.codes(actions)
        if len(codes) != len(observations):
            raise ValueError(
                f"`observations` must be one more than `actions`, {len(codes)}, but are "
                f"{len(observations)}."
            )
        keys, seen = self.keys(codes), jax.nn.one_hot(observations, self.symbols)
        if self.threshold is None:
            return keys, seen, None
        return keys, seen, write_gate(keys, seen, self.threshold)
