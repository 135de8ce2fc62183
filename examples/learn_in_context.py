"""Learn from what has just been shown.

A network sees pictures one after another and is to name each before it is told the name. Names are
dealt anew to the ten kinds of clothes in every sequence, and half-way through they are dealt again.
So nothing about them can be learnt in training: the network has to write them into the fast weights
of a layer while it looks. Two are trained, one that adds to its memory and one that corrects it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import attrax
from attrax import data
from attrax.nn import FastWeight
from attrax.training import train

attrax.enable_compilation_cache()  # the next run starts faster

images = data.load("sample")
pixels = np.asarray(images.x, np.float32).reshape(len(images.x), 28, 28)
# Means of 4 × 4 pixels are enough here.
pixels = pixels.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49)
kinds, shown = np.asarray(images.y), 40


class Network(eqx.Module):
    """Tokens are a picture without its name, and then the same picture with it."""

    encoder: eqx.nn.MLP
    memory: FastWeight

    def __init__(self, rule, key):
        keys = jax.random.split(key, 2)
        sizes = {"key_size": 32, "value_size": 10, "output_size": 10}
        self.encoder = eqx.nn.MLP(49, 32, 64, 1, key=keys[0])
        self.memory = FastWeight(42, rule=rule, **sizes, key=keys[1])

    def __call__(self, tokens):
        """The scores of the ten names, for each picture before its name was told."""
        seen = jax.vmap(self.encoder)(tokens[:, :49])
        return self.memory(jnp.concatenate([seen, tokens[:, 49:]], axis=1))[::2]


def sequences(rng, rows, count):
    """Tokens (count, 2 shown, 59), and the names that are asked for, (count, shown)."""
    chosen = rng.choice(rows, (count, shown))
    dealt = rng.permuted(np.tile(np.arange(10), (count, 2, 1)), axis=-1)
    half = np.arange(shown) * 2 // shown
    names = dealt[np.arange(count)[:, None], half, kinds[chosen]]
    tokens = np.zeros((count, shown, 2, 59), np.float32)
    tokens[..., :49] = pixels[chosen][:, :, None]
    tokens[:, :, 1, 49:] = np.eye(10)[names]
    return tokens.reshape(count, 2 * shown, 59), names


def loss(network, batch):
    """The cross-entropy of the names."""
    tokens, names = batch
    scores = jax.vmap(network)(tokens)
    return optax.softmax_cross_entropy_with_integer_labels(scores, names).mean()


def batches(step):
    """What a step of training sees: every sequence is a new one."""
    return sequences(np.random.default_rng(int(step)), np.arange(900), 32)


tokens, names = sequences(np.random.default_rng(10**6), np.arange(900, 1000), 1000)
figure = Figure(figsize=(6, 3.4), layout="constrained")
ax = figure.subplots()
for rule, label in (("sum", "adds"), ("delta", "corrects")):
    network = Network(rule, jax.random.key(0))
    # Stopped and started again, it goes on from the file. `progress=True` shows a bar.
    file, adam = f"memory_that_{label}", optax.adam(3e-3)
    trained = train(
        network, loss, batches, steps=800, optimizer=adam, checkpoint=file, progress=True
    )
    scores = eqx.filter_jit(lambda network, x: jax.vmap(network)(x))(trained.model, tokens)
    right = np.asarray(jnp.argmax(scores, -1) == names).mean(0)
    first, second = right[:20], right[20:]
    print(f"a memory that {label}: {100 * first[10:].mean():.0f} % of the names right,")
    print(f"  and {100 * second[10:].mean():.0f} % after they have changed")
    ax.plot(np.arange(1, shown + 1), right, marker="o", ms=3, lw=1, label=f"it {label}")
ax.axvline(shown / 2 + 0.5, color="0.5", ls=":", label="names change")
ax.set(xlabel="pictures shown", ylabel="share of names right", ylim=(0, 1))
ax.legend()
figure.savefig("learn_in_context.png", dpi=110)
