"""Learn what to store.

A network of 100 softmax neurons above an image is given noisy pictures. Gradients through the
retrieval move its weights until one step down its energy removes the noise. In the end it does not
store the pictures, but prototypes and parts that serve many of them.
"""

import jax
import jax.numpy as jnp
import optax

import attrax
from attrax import data, plot
from attrax.dynamics import Euler
from attrax.hierarchical import DenseSynapse, HierarchicalMemory, Neurons, SphericalNorm
from attrax.separation import Softmax
from attrax.training import train

attrax.enable_compilation_cache()  # the next run starts faster

images = data.load("sample")
x = jnp.asarray(images.x)
x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
drawn, order, test = jax.random.split(jax.random.key(0), 3)
network = HierarchicalMemory(
    {"image": Neurons(784, SphericalNorm()), "memory": Neurons(100, Softmax(10.0), tau=0.0)},
    {("image", "memory"): DenseSynapse(0.05 * jax.random.normal(drawn, (100, 784)))},
)


def cleaned(network, noisy):
    """Images on the sphere, after one step down the energy."""
    found = attrax.retrieve(network, noisy, Euler(1.0, max_steps=1))
    return found.state / jnp.linalg.norm(found.state, axis=1, keepdims=True)


def noisy(pictures, key):
    """Pictures with noise about half as long as they are."""
    return pictures + 0.02 * jax.random.normal(key, pictures.shape)


def loss(network, pictures, key):
    """How far the cleaned ones are from what they were."""
    return jnp.mean((cleaned(network, noisy(pictures, key)) - pictures) ** 2)


trained = train(
    network, loss, x[:900], steps=900, batch_size=100, optimizer=optax.adam(1e-2), key=order
).model
unseen = x[900:]
damaged = noisy(unseen, test)
for name, found in {
    "noisy": damaged,
    "one step, drawn weights": cleaned(network, damaged),
    "one step, learnt weights": cleaned(trained, damaged),
}.items():
    print(f"{name}: squared error {jnp.sum((found - unseen) ** 2, axis=1).mean():.3f}")

weights = trained.synapses[0].weights
span = 0.4 * float(jnp.abs(weights).max())
axes = plot.images(weights, images.shape, columns=20, limits=(-span, span))
axes.figure.set_size_inches(10, 2.8)
axes.figure.savefig("learned.png", dpi=110, bbox_inches="tight")
