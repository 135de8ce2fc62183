"""Fill in hidden patches.

An energy transformer cuts a digit into 16 patches. It sees half of them, and moves the tokens of
all of them down one energy until they can be decoded as the whole digit.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import attrax
from attrax import data, plot
from attrax.nn import EnergyTransformer, ImageEnergyTransformer, hide_patches
from attrax.training import train

attrax.enable_compilation_cache()  # the next run starts faster

digits = data.load("digits")
x = np.random.default_rng(0).permutation(digits.x).reshape(-1, 8, 8)
learnt, unseen = x[:-200], x[-200:]

# The block is a layer for any tokens; the model around it encodes patches as tokens and back.

keys = jax.random.split(jax.random.key(0), 4)
block = EnergyTransformer(32, heads=4, steps=4, alpha=0.4, key=keys[0])
model = ImageEnergyTransformer(block, (8, 8), 2, key=keys[1])


def hidden(images, key):
    """Of each image, which patches are known."""
    draw = jax.vmap(lambda key: hide_patches(model.patches, 8, key=key)[0])
    return draw(jax.random.split(key, len(images)))


def loss(model, images, key):
    """The squared error of hidden patches, hidden anew at each step."""
    known = hidden(images, key)
    return jnp.mean(jax.vmap(model.squared_error)(images, known, ~known))


# Training takes less than a minute. `progress=True` would show a bar, and `checkpoint="fill.ckpt"`
# would let it go on after a stop.

steps = 1200
trained = train(
    model,
    loss,
    learnt,
    steps=steps,
    batch_size=32,
    optimizer=optax.adamw(optax.cosine_decay_schedule(1e-2, steps), weight_decay=1e-2),
    key=keys[2],
).model

known = hidden(unseen, keys[3])
filled = eqx.filter_jit(lambda model, x, known: jax.vmap(model)(x, known))(trained, unseen, known)
missed = jnp.square(jax.vmap(model.cut)(unseen) - jax.vmap(model.cut)(filled))
baseline = jnp.square(jax.vmap(model.cut)(unseen - learnt.mean(0)))
for name, squares in {"the mean digit": baseline, "the model": missed}.items():
    print(f"hidden pixels, {name}: squared error {squares[~known].mean():.2f}")

# In lines: what is seen, what is made of it, and the digits. What is seen is shown as it is.

pixels = jax.vmap(model.join)(jnp.repeat(known[..., None], 4, axis=2).astype(jnp.float32))
rows = (unseen * pixels, jnp.where(pixels > 0, unseen, filled), unseen)
shown = jnp.concatenate([row[:12] for row in rows]).reshape(36, 64)
axes = plot.images(shown, (8, 8), columns=12, limits=(0, 1))
axes.figure.set_size_inches(10, 2.8)
axes.figure.savefig("fill_in_patches.png", dpi=110, bbox_inches="tight")
