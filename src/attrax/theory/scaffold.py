"""What a scaffold of fixed hidden states reads, and what a read says of a pattern, in bits."""

import jax.numpy as jnp
from jax.scipy.special import erf, xlog1py
from jaxtyping import Array, Float

from .arguments import Numbers, bounded, one_of, reals


def scaffold_overlap(
    patterns: Numbers, hidden: Numbers, rule: str = "pseudo_inverse"
) -> Float[Array, "..."]:
    """The overlap m of what a `ScaffoldMemory` reads with what was written, of random signs.

    | rule | m |
    |---|---|
    | `"pseudo_inverse"` | 1 for P ≤ N_H, and erf √(N_H/(2 (P − N_H))) beyond |
    | `"hebb"` | erf √(N_H/(2 P)) |

    Beyond N_H patterns, W_FH h is the projection of the features on the rows of the hidden states,
    with N_H/P of the pattern itself, and noise of the variance (N_H/P) (1 − N_H/P). That holds for
    all hidden states in general position, and large P. That of Hebb's rule is for independent
    hidden states: those of labels that share units are alike, and then it reads far less.

    **Arguments:**

    - `patterns`: P ≥ 1, how many are written, any shape.
    - `hidden`: N_H ≥ 1, the number of hidden units, any shape.
    - `rule`: "pseudo_inverse" or "hebb".

    **Returns:** in (0, 1], of the arguments' joint shape.

    **Raises:** `ValueError` for numbers below one, or an unknown rule.

    **Source:** derived here; [sharma2022content]
    """
    one_of("rule", rule, ("pseudo_inverse", "hebb"))
    patterns, hidden = reals(patterns=patterns, hidden=hidden)
    bounded("patterns", patterns, 1)
    bounded("hidden", hidden, 1)
    if rule == "hebb":
        return erf(jnp.sqrt(hidden / (2 * patterns)))
    beyond = patterns > hidden
    noisy = erf(jnp.sqrt(hidden / (2 * jnp.where(beyond, patterns - hidden, 1))))
    return jnp.where(beyond, noisy, 1.0)


def scaffold_information(
    patterns: Numbers, hidden: Numbers, rule: str = "pseudo_inverse"
) -> Float[Array, "..."]:
    """The bits that P patterns hold in all, over the N_H d couplings from hidden units to features.

    P I(m)/N_H with I of `overlap_information` and m of `scaffold_overlap`. By the pseudo-inverse it
    is P/N_H up to N_H patterns, 1.10 at most, near 1.14 N_H, and falls towards 1/(π ln 2) = 0.459.

    **Arguments:** see `scaffold_overlap`.

    **Returns:** bits per coupling, of the arguments' joint shape.

    **Raises:** `ValueError` as `scaffold_overlap`.

    **Source:** derived here; [sharma2022content]
    """
    overlap = scaffold_overlap(patterns, hidden, rule)
    patterns, hidden = reals(patterns=patterns, hidden=hidden)
    return patterns / hidden * overlap_information(overlap).astype(patterns.dtype)


def overlap_information(overlap: Numbers, states: str = "signs") -> Float[Array, "..."]:
    """What an entry that was read says of the one that was stored, in bits.

    | states | I(m) | m |
    |---|---|---|
    | `"signs"` | 1 − H₂((1 + m)/2), H₂ the entropy of a coin | the overlap |
    | `"real"` | −½ log₂(1 − m²), of normal entries | the correlation |

    **Arguments:**

    - `overlap`: m, in [−1, 1], any shape.
    - `states`: "signs" or "real".

    **Returns:** bits, shape of `overlap`; infinite for real entries that are equal.

    **Raises:** `ValueError` for an overlap out of its range, or unknown states.

    **Source:** [sharma2022content]
    """
    one_of("states", states, ("signs", "real"))
    (m,) = reals(overlap=overlap)
    bounded("overlap", m, -1, 1)
    if states == "real":
        return -0.5 * (jnp.log1p(-m) + jnp.log1p(m)) / jnp.log(2.0).astype(m.dtype)
    # (1 ± m) log₂(1 ± m), which is zero at zero.
    nats = 0.5 * (xlog1py(1 + m, m) + xlog1py(1 - m, -m))
    return nats / jnp.log(2.0).astype(m.dtype)
