"""`retrieve` for tensors."""
# pyright: reportMissingImports=false

from typing import Any

import jax
import torch

from ..common.checks import FOREIGN
from ..dynamics.base import AbstractDynamics, Outcome
from ..dynamics.certificate import Certificate
from ..retrieval import Retrieval
from ..retrieval import retrieve as retrieve_arrays
from ..spaces.store import AbstractStore
from .bridge import check_tensors, to_jax, to_torch

FOREIGN[torch.Tensor] = lambda tensor: tensor.detach().double().cpu().numpy()


def retrieve(
    memory: AbstractStore,
    queries: torch.Tensor,
    dynamics: AbstractDynamics | None = None,
    *,
    known: torch.Tensor | None = None,
    **options: Any,
) -> Retrieval:
    """Run queries that are tensors to their attractors, as `attrax.retrieve` does.

    ```python
    found = attrax.torch.retrieve(memory, queries, known=mask)
    found.state  # a tensor
    ```

    Nothing is differentiated: the answer has no gradient. To learn through a read, wrap the memory
    in `attrax.torch.Module`.

    **Arguments:**

    - `memory`: a `Memory` or another store of attrax.
    - `queries`: a tensor of shape (..., d).
    - `dynamics`: one of `attrax.dynamics`; what suits the memory if `None`.
    - `known`: a boolean tensor, True for the entries that are right, of shape (d,) or that of the
      queries.
    - `options`: others of `attrax.retrieve`: `chunk`, `path`, `certify`, `confidence`, `progress`,
      `key`.

    **Returns:** a `Retrieval` whose arrays are tensors, on the device of the queries. Its `outcome`
    stays an `attrax.Outcome`, and its `certificate` as it is.

    **Raises:** `TypeError` or `ValueError` as `attrax.retrieve` does, and for what is no tensor, or
    one of a type or on a device that JAX lacks.
    """
    given = {"queries": queries} | ({} if known is None else {"known": known})
    for name, value in given.items():
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"`{name}` must be a tensor, but it is {type(value).__name__}.")
    check_tensors(list(given.values()), list(given).__getitem__)
    arrays = {name: to_jax(value) for name, value in given.items()}
    found = retrieve_arrays(
        memory, arrays["queries"], dynamics, known=arrays.get("known"), **options
    )
    return jax.tree.map(_as_tensor, found, is_leaf=_stays)


def _stays(part: Any) -> bool:
    return isinstance(part, Outcome | Certificate)


def _as_tensor(part: Any) -> Any:
    return part if _stays(part) else to_torch(part)
