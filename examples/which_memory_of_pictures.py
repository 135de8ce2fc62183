"""Which memory for pictures?

Every memory stores the same pictures of clothes, 28 × 28 pixels, and gets the same damaged ones.
Memories of numbers see grey levels; memories of two states see bits of the same damaged pictures, a
pixel being bright above 0.3. Options are the defaults, and every β follows from the stored rows. A
picture is restored if each pixel is right to within half a grey level, as `attrax recall` counts
it; bits must be equal. If half of a picture is known, the other half is what counts.

Without arguments this is a short run on the sample that ships with attrax. With `full` it takes the
60 000 pictures of Fashion-MNIST and half an hour, and goes on where it was stopped. With `time` it
measures how long each memory takes beside the default.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import attrax
from attrax import Memory, data, evaluate, learning, models, plot, separation, similarity, theory
from attrax.dynamics import OneRead

attrax.enable_compilation_cache()  # the next run starts faster

full, timing = "full" in sys.argv[1:], "time" in sys.argv[1:]
sizes, queries = ((10, 100, 392, 1000, 10_000, 60_000), 200) if full else ((100,), 20)
shown = 1000 if full else 100  # the number of pictures in the table; there energies are watched
few = 10 if full else 100  # for memories that take long
pictures = data.load("fashion-mnist" if full else "sample").x
width = pictures.shape[1]
noise = 0.5 * np.random.default_rng(0).standard_normal((200, width), np.float32)
known = np.asarray(data.known_rows(0.5, (28, 28)))  # the upper half

# How pictures become the states of a memory, and which entries of an answer are right. Where states
# have no length or mean, those of the picture are put back.


def grey(rows):
    """Grey levels, as they are."""
    return rows


def unit(rows):
    """Rows of length one, for dot products."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def standardised(rows):
    """Rows without their mean, of length one: the keys of `Memory(rows)`."""
    return unit(rows - rows.mean(axis=1, keepdims=True))


def bits(rows):
    """Bright or dark, as 1 or 0."""
    return (rows > 0.3).astype(np.float32)


def signs(rows):
    """Bright or dark, as 1 or −1."""
    return 2 * bits(rows) - 1


def right(states, rows, form):
    """Which entries are those of the picture."""
    if form is signs:
        return np.sign(states) == signs(rows)
    if form is bits:
        return states == bits(rows)
    mean = rows.mean(axis=1, keepdims=True) if form is standardised else 0
    if form is not grey:
        states = states * np.linalg.norm(rows - mean, axis=1, keepdims=True) + mean
    return np.abs(states - rows) <= 0.5 / 255


# The four damages. A crowd is the pictures that are most like the first one, a boot.

keys = standardised(pictures)
crowd = pictures[np.argsort(-(keys @ keys[0]), kind="stable")]


def noisy(rows):
    """With Gaussian noise."""
    return rows + noise[: len(rows)]


def halved(rows):
    """With zeros in the lower half."""
    return rows * known


damages = {  # which pictures are stored, what happens to them, and what is said to be known
    "noise": (pictures, noisy, None),
    "half known": (pictures, halved, known),
    "half zero": (pictures, halved, None),
    "crowd": (crowd, noisy, None),
}

# The memories. Other separations get the β of `Memory(rows)`, and a power the degree β: s^β is
# nearly exp(β(s − 1)) where s is close to 1. A sparse distributed memory has 10 000 locations, and
# a simplicial network as many pairs and triples as there are pairs of pixels. Memories that do as
# others do, or restore none of 1000 pictures, get no more.


def options(**given):
    """A `Memory` with options."""
    return lambda rows: Memory(rows, **given)


def separated(make):
    """A `Memory` with a separation of the default's β."""
    return lambda rows: Memory(rows, separation=make(float(Memory(rows).separation.beta)))


def power(beta):
    """Powers divided by their sum."""
    return separation.SumNormalised(separation.Power(round(beta), rectified=True))


def best(beta):
    """Softmax of the ten best rows."""
    return separation.TopK(10, separation.Softmax(beta))


def ruled(rule):
    """A matrix by a learning rule."""
    return lambda rows: models.hopfield_network(rows, rule)


def superposed(rows):
    """A `Memory` as one matrix."""
    linear = separation.Identity()
    return Memory(rows, similarity=similarity.Dot(), separation=linear).superpose()


def distributed(rows):
    """Hard locations with counters."""
    count, key = len(rows), jax.random.key(0)
    return models.sparse_distributed_memory(width, 10_000, patterns=count, key=key).write(rows)


def circles(rows):
    """The same memory, with all the space for hard locations."""
    radius = theory.optimal_radius(width, 10_000, len(rows))
    circle = separation.CircleIntersection(width, radius)
    hamming = similarity.Hamming()
    return Memory(rows, similarity=hamming, separation=circle, projection="centroid")


def simplicial(rows):
    """Half of the connections join two pixels, half three."""
    half = width * (width - 1) // 4
    sets = models.random_simplices(width, {1: half, 2: half}, key=jax.random.key(0))
    return models.simplicial_network(rows, sets)


memories = {  # the form of states, how it is made, and the largest number of pictures
    "`Memory(rows)`": (grey, Memory, 60_000),
    "`Cosine()`": (grey, options(similarity=similarity.Cosine()), 60_000),
    "`Euclidean()`": (grey, options(similarity=similarity.Euclidean()), 60_000),
    "`Manhattan()`": (grey, options(similarity=similarity.Manhattan()), 60_000),
    "`Entmax(1.5, beta)`": (grey, separated(partial(separation.Entmax, 1.5)), 10_000),
    "`Entmax(2, beta)`": (grey, separated(partial(separation.Entmax, 2.0)), 60_000),
    "`GhostSoftmax(beta)`": (grey, separated(separation.GhostSoftmax), 10_000),
    "`TopK(10, Softmax(beta))`": (grey, separated(best), 10_000),
    "`Max()`": (grey, options(separation=separation.Max()), 60_000),
    "`SumNormalised(Power(n))`": (grey, separated(power), 10_000),
    "`modern_memory`": (unit, models.modern_memory, 60_000),
    "`as_network()`": (standardised, lambda rows: Memory(rows).as_network(), 1000),
    "`superpose()`": (unit, superposed, 1000),
    "`Memory(signs)`": (signs, Memory, 60_000),
    "`exponential_memory`": (signs, models.exponential_memory, 60_000),
    "`dense_memory`": (signs, models.dense_memory, 1000),
    "`binary_dense_memory`": (signs, models.binary_dense_memory, 1000),
    "`skeleton_memory`": (signs, models.skeleton_memory, 1000),
    "`simplicial_network`": (signs, simplicial, few),
    "`PseudoInverse()`": (signs, ruled(learning.PseudoInverse("ignore")), 392),
    "`Storkey()`": (signs, ruled(learning.Storkey()), 1000),
    "`Hebb()`": (signs, ruled(learning.Hebb()), 1000),
    "`sparse_distributed_memory`": (bits, distributed, 1000),
    "`CircleIntersection`": (bits, circles, few),
}
# A matrix has as many numbers as 392 pictures that are kept twice, so these store 392 as well.
of_matrix = [f"`{name}()`" for name in ("superpose", "PseudoInverse", "Storkey", "Hebb")]
of_matrix = ["`Memory(rows)`", "`Memory(signs)`", *of_matrix]
maskless = ("`sparse_distributed_memory`", "`superpose()`")  # take no known entries
slow = ("`simplicial_network`", "`CircleIntersection`")  # of which few paths are watched


def run(memory, query, mask, watched):
    """Answers, the rows that they stand for, and on how many watched paths no energy rose."""
    linear = isinstance(memory, attrax.MatrixMemory) and memory.units == "real"
    how = OneRead() if linear else None  # each read makes the answer longer
    if mask is not None or memory.lacks_energy is not None:
        watched = 0
    found = attrax.retrieve(memory, query, how, known=mask, certify=watched == len(query))
    certificate = found.certificate
    if 0 < watched < len(query):
        certificate = attrax.retrieve(memory, query[:watched], certify=True).certificate
    fell = [int(certificate.certified.sum()), watched] if watched else None
    return found.state, found.index, fell


def measure(name, size, damage, memory, ours):
    """Count what a memory restores from one damage."""
    form, _, most = memories[name]
    stored, corrupt, mask = damages[damage]
    rows = np.arange(queries) % size
    targets = stored[rows]
    watched = queries if size == min(shown, most) else 0
    if name in slow:
        watched = 20 if full and damage == "noise" else 0
    states, index, fell = run(memory, form(corrupt(targets)), mask, watched)
    good = right(np.asarray(states), targets, form)
    good |= known if mask is not None else False
    ours[f"{damage} {size}"] = int(good.all(axis=1).sum())
    if index is not None:
        ours[f"{damage} {size}, row"] = int((index == rows).sum())
    if fell is not None:
        ours[f"energy, {damage}"] = fell


# Counts stay in a file, by memory, damage and number of pictures.

record = Path("which_memory_of_pictures.json")
counts = json.loads(record.read_text()) if (full or timing) and record.exists() else {}


def keep():
    """Write the file."""
    if full or timing:
        record.write_text(json.dumps(counts, indent=1))


for size in () if timing else sizes:
    for stored in (pictures, crowd):
        for name, (form, make, most) in memories.items():
            ours = counts.setdefault(name, {})
            left = [
                damage
                for damage, (where, _, mask) in damages.items()
                if where is stored and not (mask is not None and name in maskless)
                if f"{damage} {size}" not in ours
            ]
            if not left or size > most or (size == 392 and name not in of_matrix):
                continue
            start = time.perf_counter()
            memory = make(form(stored[:size]))
            ours["lacks energy"] = memory.lacks_energy is not None
            leaves = jax.tree.leaves(memory)
            ours[f"kept {size}"] = sum(leaf.size for leaf in leaves if jnp.ndim(leaf) == 2)
            for damage in left:
                measure(name, size, damage, memory, ours)
            keep()
            if full:
                print(size, name, f"{time.perf_counter() - start:.0f} s", file=sys.stderr)

# With `time`, each memory and the default take turns to retrieve the same 200 noisy pictures, of
# 1000 that are stored or of as many as it takes; the ratio of their times is the median of turns.


def seconds(memory, query):
    """How long a retrieval takes."""
    start = time.perf_counter()
    jax.block_until_ready(run(memory, query, None, 0)[0])
    return time.perf_counter() - start


def two(ratio):
    """A ratio with two figures."""
    return f"{float(f'{ratio:.2g}'):g}"


for name, (form, make, most) in memories.items() if timing else ():
    rows = pictures[: min(most, 1000)]
    query = noisy(rows[np.arange(20 if name in slow else 200) % len(rows)])
    pair = (Memory(rows), query), (make(form(rows)), form(query))
    for each in pair:
        seconds(*each)  # compiles
    turns = [[seconds(*each) for each in pair] for _ in range(3 if name in slow else 9)]
    ratio = float(np.median([taken / usual for usual, taken in turns]))
    counts.setdefault(name, {})["time"] = ratio
    print(f"{name}: {two(ratio)} times the default's")
    keep()
if timing:
    sys.exit()

# The table has percentages, and the largest number of pictures of which 95 % are restored from
# noise.


def bands(name, damage):
    """The numbers of pictures, and shares; without noise equal pictures make equal queries."""
    ours = counts[name]
    there = [size for size in sizes if f"{damage} {size}" in ours]
    hits = np.array([ours[f"{damage} {size}"] for size in there], int)
    trials = np.array([min(size, queries) if "half" in damage else queries for size in there], int)
    return there, evaluate.success_bands(hits * trials // queries, trials) if there else None


def row(name):
    """One line of the table."""
    ours, cells = counts[name], [name]
    for damage in damages:
        there, band = bands(name, damage)
        share = dict(zip(there, band.value, strict=True)).get(shown) if there else None
        cells.append("–" if share is None else f"{100 * share:.3g}")
    there, band = bands(name, "noise")
    good = [size for size, share in zip(there, band.value, strict=True) if share >= 0.95]
    fell, paths = np.sum([ours.get(f"energy, {damage}", [0, 0]) for damage in damages], axis=0)
    energy = "falls" if fell == paths else f"falls on {fell} of {paths}"
    energy = "none" if ours["lacks energy"] else energy if paths else "–"
    taken = two(ours["time"]) if "time" in ours else "–"
    size = shown if shown in there else there[-1]
    return [*cells, str(max(good, default=0)), energy, taken, f"{ours[f'kept {size}']}"]


print("| memory |", " | ".join(damages), "| 95 % up to | energy | time | numbers |")
print("|---" * (len(damages) + 5) + "|")
for name in memories:
    print("|", " | ".join(row(name)), "|")
if full:
    print("With 392 pictures, whose numbers are those of a matrix:")
    for name in of_matrix:
        shares = [counts[name].get(f"{damage} 392") for damage in damages]
        print(name, *("–" if hits is None else 100 * hits / queries for hits in shares))

# The figure leaves out memories that do as others do.

styles = {
    "`Memory(rows)`": {"color": "k", "lw": 3.5, "zorder": 3},
    "`Cosine()`": {"color": "C0"},
    "`Euclidean()`": {"color": "C1"},
    "`Manhattan()`": {"color": "C2"},
    "`modern_memory`": {"color": "C4"},
    "`Memory(signs)`": {"color": "C3", "lw": 2.5},
    "`exponential_memory`": {"color": "C5", "ls": "--"},
    "`dense_memory`": {"color": "C6", "ls": "--"},
    "`PseudoInverse()`": {"color": "C8", "ls": "--"},
    "`Hebb()`": {"color": "C7", "ls": "--"},
}
titles = {
    "noise": "noise, σ = 0.5",
    "half known": "lower half missing, with known=",
    "half zero": "lower half zero, without known=",
    "crowd": "noise, pictures that are alike",
}
figure = Figure(figsize=(7.2, 6.8), layout="constrained")
axes = figure.subplots(2, 2, sharex=True, sharey=True)
for ax, damage in zip(axes.flat, damages, strict=True):
    for name, style in styles.items():
        plot.curves(*bands(name, damage), label=name.strip("`"), ax=ax, **style)
    ax.set(xscale="log", ylim=(-0.03, 1.03))
    ax.set_title(titles[damage], fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
for ax in axes[1]:
    ax.set_xlabel("number of pictures stored")
for ax in axes[:, 0]:
    ax.set_ylabel("share restored exactly")
handles = axes[0, 0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=4, fontsize="small")
figure.savefig("which_memory_of_pictures.png", dpi=110)
