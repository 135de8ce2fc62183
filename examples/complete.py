"""Complete pictures from the part that is known.

The upper half of each picture is given. A query whose lower half is zero is nearer to dark pictures
than to the right one. It helps to say which entries are `known=`: they are kept, and memories are
compared by them alone.
"""

import jax.numpy as jnp

import attrax
from attrax import data, plot

attrax.enable_compilation_cache()  # the next run starts faster

images = data.load("sample")
x, shape = jnp.asarray(images.x), images.shape
known = data.known_rows(0.5, shape)  # True for the pixels of the upper half
halves = jnp.where(known[None], x, 0)
memory = attrax.Memory(x)


def right(states):
    """How many states are nearest to the picture that they should be."""
    half = 0.5 * jnp.sum(x**2, axis=1)
    return int(jnp.sum(jnp.argmax(states @ x.T - half[None], axis=1) == jnp.arange(len(x))))


blind = attrax.retrieve(memory, halves)
told = attrax.retrieve(memory, halves, known=known)
print(f"half of it zero:   {right(blind.state)} of {len(x)} are the right picture")
print(f"known= is given:   {right(told.state)} of {len(x)}")

# Entries that are not known may be anything, even NaN, which is how missing values often come.

missing = jnp.where(known[None], x, jnp.nan)
same = attrax.retrieve(memory, missing, known=known)
assert jnp.array_equal(same.state, told.state)

axes = plot.recall_sheet(x[:8], missing[:8], told.state[:8], shape)
axes[0].figure.savefig("complete.png", dpi=110)
