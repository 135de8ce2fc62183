"""Which layer for pictures?

One small network names pictures of clothes. A picture is cut into 49 patches, each patch becomes a
token of 32 numbers, one layer of attrax works on the tokens, and their mean goes through a linear
map to ten classes. All networks are trained alike: the same steps, batches and rate. Only the layer
differs, and for prototypes, which need no network, all of it.

Without arguments this is a short run on the sample that ships with attrax. With `full` it takes
20 000 pictures of Fashion-MNIST and three seeds, and names the 10 000 of its test split.
"""

import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import attrax
from attrax import data, nn
from attrax.training import train

attrax.enable_compilation_cache()  # the next run starts faster

full = "full" in sys.argv[1:]
seeds, steps, batch, tokens, size = (3, 600, 64, 49, 32) if full else (1, 10, 32, 49, 32)
if full:
    shown, asked = (data.load("fashion-mnist", split=split) for split in ("train", "test"))
    x, y, x_test, y_test = shown.x[:20_000], shown.y[:20_000], asked.x, asked.y
else:
    sample = data.load("sample")
    x, y, x_test, y_test = sample.x[:800], sample.y[:800], sample.x[800:], sample.y[800:]


class Tokens(eqx.Module):
    """Patches become tokens, a layer works on them, and what is left is named."""

    into: eqx.nn.Linear
    places: jax.Array
    layer: eqx.Module | None
    out: eqx.nn.Linear
    added: bool = eqx.field(static=True)

    def __init__(self, make, added, key):
        keys = jax.random.split(key, 4)
        self.into = eqx.nn.Linear(16, size, key=keys[0])
        self.places = 0.1 * jax.random.normal(keys[1], (tokens, size))
        self.layer = None if make is None else make(keys[2])
        self.out = eqx.nn.Linear(size, 10, key=keys[3])
        self.added = added

    def __call__(self, pixels):
        """The scores of ten classes for one picture, (784,)."""
        patches = pixels.reshape(7, 4, 7, 4).swapaxes(1, 2).reshape(tokens, 16)
        rows = jax.vmap(self.into)(patches) + self.places
        if self.layer is not None:
            worked = self.layer(rows)
            rows = rows + worked if self.added else worked
        return self.out(jax.nn.relu(rows.mean(0)))


def attention(key, **options):
    """Tokens ask one another, in four heads."""
    return nn.HopfieldAttention(size, heads=4, deviation=0.1, key=key, **options)


def block(key):
    """A transformer's block: attention, then two linear maps for each token."""
    one, two = jax.random.split(key)
    return nn.EncoderBlock(attention(one), feedforward=64, dropout=0.0, key=two)


# Each with whether its output is added to the tokens, or stands for them.
layers = {
    "none": (None, False),
    "`HopfieldAttention`": (attention, True),
    "the same, three steps": (lambda key: attention(key, steps=3), True),
    "`EncoderBlock`": (block, False),
    "`HopfieldPooling`": (
        lambda key: nn.HopfieldPooling(size, heads=4, deviation=0.1, key=key),
        False,
    ),
    "`HopfieldLookup`": (
        lambda key: nn.HopfieldLookup(size, memories=64, heads=4, deviation=0.1, key=key),
        True,
    ),
    "`Performer`": (lambda key: nn.Performer(size, heads=4, count=32, key=key), True),
    "`FastWeight`": (lambda key: nn.FastWeight(size, heads=4, key=key), True),
    "`EnergyTransformer`": (
        lambda key: nn.EnergyTransformer(size, heads=4, memories=64, steps=4, alpha=0.5, key=key),
        False,
    ),
    "`HopfieldMixer`": (lambda key: nn.HopfieldMixer(tokens, size, key=key), False),
    "`IMixer`": (lambda key: nn.IMixer(tokens, size, key=key), False),
    "`PrototypeLayer`": (None, False),
}


def network(name, seed):
    """One network, from its key."""
    key = jax.random.key(seed)
    if name == "`PrototypeLayer`":
        first = np.concatenate([x[y == kind][:20] for kind in range(10)])
        return nn.PrototypeLayer(
            x.shape[1], classes=10, per_class=20, prototypes=first, beta=0.1, key=key
        )
    return Tokens(*layers[name], key)


def loss(network, pictures):
    """The cross-entropy of the classes."""
    pixels, kinds = pictures
    scores = jax.vmap(network)(pixels)
    return optax.softmax_cross_entropy_with_integer_labels(scores, kinds).mean()


@eqx.filter_jit
def named(network, pixels):
    """The class of each picture."""
    return jnp.argmax(jax.lax.map(network, pixels, batch_size=500), axis=-1)


def measure(name):
    """Shares of the other pictures that are named rightly, numbers of a network, and its time."""
    right, spent = [], []
    for seed in range(seeds):
        chosen = np.random.default_rng(seed).integers(0, len(x), (steps, batch))
        made = network(name, seed)

        def pictures(step, chosen=chosen):
            rows = chosen[int(step)]
            return x[rows], np.asarray(y[rows], np.int32)

        trained = train(made, loss, pictures, steps=steps, optimizer=optax.adam(3e-3)).model
        right.append(float(np.mean(np.asarray(named(trained, x_test)) == y_test)))
        for _ in range(3):
            begin = time.perf_counter()
            jax.block_until_ready(named(trained, x_test))
            spent.append(time.perf_counter() - begin)
    learnt = sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(made, eqx.is_inexact_array)))
    return np.array(right), learnt, min(spent)


print("| layer | right, % | numbers | time of a read |")
print("|---|---|---|---|")
figure = Figure(figsize=(6.4, 3.6), layout="constrained")
ax = figure.subplots()
base = None
for place, name in enumerate(layers):
    right, learnt, spent = measure(name)
    base = spent if base is None else base
    shares = 100 * right
    spread = f" ± {shares.std(ddof=1):.1f}" if seeds > 1 else ""
    print(f"| {name} | {shares.mean():.1f}{spread} | {learnt} | {spent / base:.1f} |", flush=True)
    ax.plot(shares, np.full(seeds, place), "o", color="C0", ms=5, alpha=0.7)
ax.set_yticks(range(len(layers)), [name.strip("`") for name in layers])
ax.invert_yaxis()
ax.grid(axis="x", alpha=0.3)
ax.set(xlabel="share of pictures named rightly, %")
figure.savefig("which_layer.png", dpi=110)
