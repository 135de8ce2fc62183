"""Store your own images.

    python examples/own_images.py --images FOLDER      # PNG, JPEG, ... files
    python examples/own_images.py --images rows.npy    # an array (n, d), (n, H, W) or (n, H, W, C)

Without the argument the script takes the sample that ships with attrax. The command
`attrax recall FOLDER` does the same with more kinds of damage; this is how to do it in Python.
"""

import argparse

import jax
import jax.numpy as jnp

import attrax
from attrax import data, plot

attrax.enable_compilation_cache()  # the next run starts faster

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--images", help="a folder of images, or a .npy file")
args, _ = parser.parse_known_args()

# All images are brought to one size. Rows are flat; `shape` is the shape of one image.

images = data.open(args.images, limit=1000) if args.images else data.load("sample", limit=200)
x = jnp.asarray(images.x)
print(images)

# Each image loses half its pixels. `drop_mask` with the same key would say which.

keys = jax.random.split(jax.random.key(0), len(x))
damaged = jax.vmap(lambda x, key: data.drop(x, 0.5, shape=images.shape, key=key))(x, keys)

memory = attrax.Memory(x)
found = attrax.retrieve(memory, damaged)
exact = jnp.max(jnp.abs(found.state - x), axis=1) <= 0.5 / 255
print(f"{int(exact.sum())} of {len(x)} recalled exactly")
print(found.summary())

# A memory can be saved: the file holds a JSON header and arrays, and no pickle.

attrax.save("own_images.attrax", memory)
again = attrax.load("own_images.attrax")
assert jnp.array_equal(again(damaged[0]), memory(damaged[0]))

if len(images.shape) > 1:
    axes = plot.recall_sheet(x[:8], damaged[:8], found.state[:8], images.shape)
    axes[0].figure.savefig("own_images.png", dpi=110)
