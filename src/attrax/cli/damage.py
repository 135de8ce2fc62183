"""The ways in which `attrax recall` damages images."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from ..data import drop, gaussian, known_inpaint, known_rows, salt_and_pepper
from .wrong import WrongCall


class Damage(NamedTuple):
    """A kind of damage and how much of it.

    - `text`: what a reader is told, with a place for the level.
    - `level`: how much; the default, until another is chosen.
    - `apply`: (row (d,), level, image shape, key) -> damaged row (d,).
    - `known`: (level, image shape) -> the entries that are left (d,), where retrieval is told.
    """

    text: str
    level: float
    apply: Callable
    known: Callable | None = None

    def __str__(self) -> str:
        return self.text.format(self.level)


KINDS = {
    "noise": Damage("noise, σ = {:g}", 0.5, lambda x, a, shape, key: gaussian(x, a, key=key)),
    "salt": Damage(
        "salt and pepper, {:.0%}", 0.3, lambda x, a, shape, key: salt_and_pepper(x, a, key=key)
    ),
    "drop": Damage(
        "pixels dropped, {:.0%}", 0.5, lambda x, a, shape, key: drop(x, a, shape=shape, key=key)
    ),
    "half": Damage(
        "lower part missing, {:.0%}",
        0.5,
        lambda x, a, shape, key: jnp.where(known_rows(a, shape), x, 0),
        known_rows,
    ),
    "frame": Damage(
        "frame missing, {:.0%}",
        0.5,
        lambda x, a, shape, key: jnp.where(known_inpaint(a, shape), x, 0),
        known_inpaint,
    ),
}
_DEFAULT = ("noise", "salt", "drop", "half")


def chosen(names: list[str] | None, level: float | None) -> dict[str, Damage]:
    """The kinds that a call asks for, each once.

    **Raises:** `WrongCall` for unknown names, or a level that does not fit.
    """
    for name in names or ():
        if name not in KINDS:
            raise WrongCall(f"--damage is {name!r}; it must be one of {', '.join(KINDS)}")
    found = {name: KINDS[name] for name in names or _DEFAULT}
    if level is None:
        return found
    if names is None or len(found) != 1:
        raise WrongCall("--level belongs to one kind of damage: name it, as in --damage noise")
    (name,) = found
    most = float("inf") if name == "noise" else 1.0
    if not 0 <= level <= most or level == float("inf"):
        bounds = "at least 0 and finite" if name == "noise" else "from 0 to 1"
        raise WrongCall(f"--level is {level:g}; for --damage {name} it must be {bounds}")
    return {name: found[name]._replace(level=level)}


def known_entries(name: str, damage: Damage, shape: tuple[int, ...]) -> Bool[Array, " d"] | None:
    """The entries that retrieval may trust; `None` where it is told nothing.

    **Raises:** `WrongCall` if none is left.
    """
    if damage.known is None:
        return None
    known = damage.known(damage.level, shape)
    if not bool(known.any()):
        raise WrongCall(
            f"--damage {name} at level {damage.level:g} leaves nothing of an image of "
            f"{' × '.join(map(str, shape))}; choose a smaller --level"
        )
    return known


def damaged(
    damage: Damage, rows: Float[Array, "n d"], shape: tuple[int, ...], *, key: PRNGKeyArray
) -> Float[Array, "n d"]:
    """Every row damaged, each by a key of its own."""
    keys = jax.random.split(key, len(rows))
    return jax.vmap(lambda row, key: damage.apply(row, damage.level, shape, key))(rows, keys)
