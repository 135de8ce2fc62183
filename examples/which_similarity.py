"""Which similarity?

A similarity is good if the memory it scores best is the right one. Here 1000 pictures of clothes
are stored, and 100 of them are damaged in six ways. The table says for how many of these, in
percent, the right memory scores best under each similarity, without any separation or iteration.
Noise is clipped to [0, 1], where all similarities are defined.
"""

from functools import partial

import jax
import jax.numpy as jnp

from attrax import Memory, data, enable_compilation_cache, separation, similarity

enable_compilation_cache()  # the next run starts faster

images = data.load("sample")
x, shape = jnp.asarray(images.x), images.shape
index = jnp.arange(0, len(x), 10)
keys = jax.random.split(jax.random.key(0), len(index))
known = data.known_rows(0.5, shape)

damages = {
    "noise 0.5": partial(data.gaussian, sigma=0.5, clip=True),
    "salt 0.3": partial(data.salt_and_pepper, fraction=0.3),
    "drop 0.5": partial(data.drop, fraction=0.5),
    "half zero": lambda x, key: data.mask_rows(x, 0.5, shape),
    "half known": lambda x, key: data.mask_rows(x, 0.5, shape),
    "dimmed 0.5": lambda x, key: 0.5 * x,
}
similarities = {
    "Correlation": similarity.Correlation(),
    "Cosine": similarity.Cosine(),
    "Dot": similarity.Dot(),
    "Euclidean": similarity.Euclidean(),
    "Manhattan": similarity.Manhattan(),
    "Kullback-Leibler": similarity.KullbackLeibler(),
    "Jensen-Shannon": similarity.JensenShannon(),
}


@jax.jit
def right(memory, queries, weight):
    """The percentage of queries whose best score is that of their own memory."""

    def best(query):
        return jnp.argmax(memory.similarity(memory.keys, query, weight))

    return 100 * jnp.mean(jax.lax.map(best, queries, batch_size=20) == index)


print("| |", " | ".join(damages), "|")
print("|---" * (len(damages) + 1) + "|")
for name, chosen in similarities.items():
    memory = Memory(x, similarity=chosen, separation=separation.Max())
    row = []
    for damage, corrupt in damages.items():
        queries = jax.vmap(lambda x, key, corrupt=corrupt: corrupt(x, key=key))(x[index], keys)
        weight = known if damage == "half known" else jnp.ones_like(known)
        row.append(f"{right(memory, queries, weight.astype(x.dtype)):.0f}")
    print(f"| {name} |", " | ".join(row), "|")
