"""Remove noise from pictures.

A memory stores 1000 pictures of clothes. Given noisy pictures, it returns those that it stored.
Nothing is trained, and no parameter is chosen by hand.
"""

import jax
import jax.numpy as jnp

import attrax
from attrax import data, plot

attrax.enable_compilation_cache()  # the next run starts faster

images = data.load("sample")
x = jnp.asarray(images.x)

# `gaussian` adds noise to one picture; `vmap` maps it over pictures and random keys.

keys = jax.random.split(jax.random.key(0), len(x))
noisy = jax.vmap(lambda x, key: data.gaussian(x, 0.5, key=key))(x, keys)

# The memory stores the rows as they are. `retrieve` runs each query until it is at rest.

memory = attrax.Memory(x)
found = attrax.retrieve(memory, noisy)
print(found.summary())

# A picture is recalled exactly if every pixel is right to within half a grey level.

exact = jnp.max(jnp.abs(found.state - x), axis=1) <= 0.5 / 255
print(f"{int(exact.sum())} of {len(x)} recalled exactly")

# `path=True` keeps the energy along the way. Undamped reads arrive in one or two steps, so these
# steps are damped: each goes a fifth of the way.

some = noisy[:6]
slowly = attrax.dynamics.Iterate(damping=0.2, max_steps=20)
way = attrax.retrieve(memory, some, slowly, path=True)
axes = plot.recall_sheet(x[:6], some, found.state[:6], images.shape, way.energies)
axes[0].figure.savefig("denoise.png", dpi=110)
