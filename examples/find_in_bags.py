"""Find what a bag is named for.

A bag holds twenty pictures of clothes and has one name: whether any of them is a sandal. Which
picture that is nobody says. A learnt query reads each bag, and learns to look at the sandals. The
mean and the largest of all pictures are what it is compared with.
"""

import equinox as eqx
import jax
import numpy as np
import optax
from matplotlib.figure import Figure

import attrax
from attrax import data
from attrax.nn import HopfieldPooling
from attrax.training import train

attrax.enable_compilation_cache()  # the next run starts faster

images = data.load("sample")
pixels = np.asarray(images.x, np.float32).reshape(-1, 28, 28)
sandals = np.asarray(images.y) == 5
held, entries = 20, 32


class Network(eqx.Module):
    """Each picture becomes a row; rows become one vector, whatever their order; it is named."""

    encoder: eqx.nn.MLP
    pool: HopfieldPooling | None
    out: eqx.nn.Linear
    how: str = eqx.field(static=True)

    def __init__(self, how, key):
        keys = jax.random.split(key, 3)
        self.how = how
        self.encoder = eqx.nn.MLP(196, entries, 64, 1, key=keys[0])
        self.pool = None
        if how == "a learnt query":
            self.pool = HopfieldPooling(entries, beta=1.0, deviation=0.2, key=keys[1])
        self.out = eqx.nn.Linear(entries, 1, key=keys[2])

    def __call__(self, bag):
        """The score of one bag, (20, 196)."""
        rows = jax.vmap(self.encoder)(bag)
        if self.pool is not None:
            return self.out(self.pool(rows)[0])[0]
        return self.out(rows.mean(0) if self.how == "the mean" else rows.max(0))[0]


def bags(rng, chosen, count):
    """Bags (count, 20, 196) of means of 2 × 2 pixels, half of them with one sandal."""
    named = rng.random(count) < 0.5
    rows = rng.choice(chosen[~sandals[chosen]], (count, held))
    place = rng.integers(0, held, count)
    rows[named, place[named]] = rng.choice(chosen[sandals[chosen]], named.sum())
    small = pixels[rows].reshape(count, held, 14, 2, 14, 2).mean((3, 5))
    return small.reshape(count, held, 196), named, rows


def loss(network, batch):
    """The cross-entropy of the names."""
    x, named = batch
    scores = jax.vmap(network)(x)
    return optax.sigmoid_binary_cross_entropy(scores, named.astype(scores.dtype)).mean()


def batches(step):
    """What a step of training sees: bags of the first 800 pictures."""
    return bags(np.random.default_rng(int(step)), np.arange(800), 64)[:2]


x, named, rows = bags(np.random.default_rng(10**6), np.arange(800, 1000), 2000)
for how in ("the mean", "the largest", "a learnt query"):
    network = Network(how, jax.random.key(0))
    # Stopped and started again, it goes on from the file. `progress=True` shows a bar.
    file, adam = f"bags_by_{how.split()[-1]}", optax.adam(1e-3)
    trained = train(
        network, loss, batches, steps=500, optimizer=adam, checkpoint=file, progress=True
    ).model
    scores = eqx.filter_jit(eqx.filter_vmap(trained))(x)
    print(f"{how}: {100 * np.mean((np.asarray(scores) > 0) == named):.0f} % of the bags right")

# Nobody has said which picture counts. The weights of the query do.
read = eqx.filter_jit(
    jax.vmap(lambda bag: trained.pool.read(jax.vmap(trained.encoder)(bag)).weights)
)
weights = np.asarray(read(x))[:, 0, 0]
looked = weights[named].argmax(-1)
hit = sandals[rows[named][np.arange(len(looked)), looked]].mean()
print(f"in {100 * hit:.0f} % of the bags with a sandal it weighs most")

figure = Figure(figsize=(7, 2.4), layout="constrained")
for row, bag in enumerate(np.flatnonzero(named)[:3]):
    order = np.argsort(-weights[bag])[:10]
    for column, place in enumerate(order):
        ax = figure.add_subplot(3, 10, 10 * row + column + 1)
        ax.imshow(pixels[rows[bag, place]], cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{weights[bag, place]:.2f}", fontsize=7)
        color = "C3" if sandals[rows[bag, place]] else "0.8"
        for spine in ax.spines.values():
            spine.set(color=color, linewidth=2 if color == "C3" else 0.5)
figure.savefig("find_in_bags.png", dpi=110)
