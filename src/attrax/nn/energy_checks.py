"""What an energy transformer is given, checked where it enters."""

from ..common.checks import as_floats, as_mask
from ..hierarchical import AttentionSynapse, SeparationLagrangian
from ..separation import AbstractSeparation, Power


def checked_tokens(tokens, size: int):
    """Tokens of a size, as floats.

    **Raises:** `ValueError` for another shape.
    """
    tokens = as_floats("tokens", tokens, finite=False)
    if tokens.ndim != 2 or tokens.shape[1] != size:
        raise ValueError(
            f"`tokens` must have shape (tokens, {size}), but their shape is {tokens.shape}; "
            "jax.vmap takes a batch."
        )
    return tokens


def restricted(attention: AttentionSynapse, tokens, mask, edges, factors):
    """The mask, and attention among the tokens that take part, along edges.

    **Arguments:**

    - `attention`: without mask and factors.
    - `tokens`, `mask`, `edges`, `factors`: see `EnergyTransformer.__call__`.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    count = tokens.shape[0]
    if edges is not None:
        edges = as_mask("edges", edges, (count, count), "attends to")
    if mask is not None:
        mask = as_mask("mask", mask, (count,))
        pairs = mask[:, None] & mask[None]
        edges = pairs if edges is None else edges & pairs
    if factors is not None:
        factors = as_floats("factors", factors)
        expected = (attention.queries.shape[0], count, count)
        if factors.shape != expected:
            raise ValueError(
                f"`factors` must have shape {expected} (heads, tokens, tokens), but their shape "
                f"is {factors.shape}."
            )
    if edges is None and factors is None:
        return mask, attention
    queries, keys, beta = attention.queries, attention.keys, attention.beta
    own = {"mask": edges, "self_term": attention.self_term, "factors": factors}
    return mask, AttentionSynapse(queries, keys, beta, **own)


def memory_neurons(separation: AbstractSeparation | None) -> SeparationLagrangian:
    """Memory neurons of a separation, those of each token apart; ReLU if `None`.

    **Raises:** `ValueError` if there is no energy.
    """
    separation = Power(1, rectified=True) if separation is None else separation
    neurons = SeparationLagrangian(separation, -1)
    if neurons.lacks_convexity is not None:
        raise ValueError(
            "`separation` must have a convex potential, the energy of the memories, but "
            f"{separation.label} has none: {neurons.lacks_convexity}"
        )
    if separation.domain != "signed":
        remedy = "" if separation.wider is None else f"; take {separation.wider}"
        raise ValueError(
            f"`separation` must take scores of either sign, but {separation.label} takes "
            f"{separation.domain} ones{remedy}."
        )
    return neurons
