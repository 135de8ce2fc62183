"""Which memory?

Six memories store patterns of 100 signs: random ones, and pictures of clothes, reduced to 10 × 10
pixels that are bright or dark. A tenth of the signs of a pattern is flipped, and the memory runs
from there. The script counts how often every sign comes back, over five draws of patterns with
twenty queries each. Bands are Wilson's 95 % intervals for independent queries.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import attrax
from attrax import data, evaluate, learning, models, plot

attrax.enable_compilation_cache()  # the next run starts faster

draws, queries, side, few, many = 5, 20, 10, 96, 1024
random_sizes = (8, 16, 32, 64, 96, 512, 1024)
picture_sizes = (8, 16, 32, 64, 96, 900)
rng = np.random.default_rng(0)

pixels = data.load("sample").x.reshape(-1, 28, 28)
small = jax.image.resize(pixels, (len(pixels), side, side), "linear")
bright = np.unique(np.asarray(small > 0.3).reshape(len(pixels), -1), axis=0)  # each once
pictures = np.where(bright[bright.any(axis=1)], 1.0, -1.0)  # without the one that is all dark
overlaps = (pictures @ pictures.T)[~np.eye(len(pictures), dtype=bool)].reshape(len(pictures), -1)
print(len(pictures), "pictures; mean |overlap| of two:", np.abs(overlaps / side**2).mean().round(2))
print("one pixel apart from another:", np.mean(overlaps.max(axis=1) == side**2 - 2).round(2))

# A rule writes pattern after pattern, and rows of zeros change nothing in a dense memory. So one
# program serves all numbers of patterns up to a capacity, of which there are two. Rules stop at the
# first, 96, where none of them restores much.


@eqx.filter_jit
def written(rule, rows, count):
    """The matrix of the first `count` rows by a rule."""

    def write(i, memory):
        return rule.write(memory, rows[i])

    return jax.lax.fori_loop(1, count, write, rule(rows[:1]))


@eqx.filter_jit
def padded(make, rows, count):
    """A dense memory of the first `count` rows."""
    return make(jnp.where(jnp.arange(len(rows))[:, None] < count, rows, 0))


def filled(rows, count):
    """The memory that you get with no options."""
    return attrax.Memory(rows, filled=np.arange(len(rows)) < count)


rules = {
    "Hebb": learning.Hebb(),
    "Storkey": learning.Storkey(),
    "Pseudo-inverse": learning.PseudoInverse(dependent="ignore"),
}
dense = {"Dense, n = 3": models.dense_memory, "Exponential": models.exponential_memory}
names = (*rules, *dense, "`Memory`")


def memories(rows, count):
    """All of them, by name, of the first `count` rows."""
    held = rows[: few if count <= few else many]
    for name, rule in rules.items():
        if count <= few:
            yield name, written(rule, held, count)
    for name, make in dense.items():
        yield name, padded(make, held, count)
    yield names[-1], filled(held, count)


def cues(patterns):
    """Patterns with a tenth of their signs flipped."""
    order = rng.random(patterns.shape).argsort(axis=1).argsort(axis=1)
    return np.where(order < round(0.1 * patterns.shape[1]), -patterns, patterns)


def signs(memory, cue):
    """Where the memory ends; `Memory` answers with graded numbers, of which the sign counts."""
    return np.sign(attrax.retrieve(memory, cue).state)


def random_rows():
    """Random signs, one pattern a row."""
    return rng.choice([-1.0, 1.0], (many, side * side))


def picture_rows():
    """Pictures in a random order, again and again up to the capacity."""
    return np.resize(rng.permutation(pictures), (many, side * side))


def restored(draw, sizes):
    """How many queries come back, by memory and number of patterns."""
    hits = {name: {} for name in names}
    for _ in range(draws):
        rows = draw()
        for size in sizes:
            patterns = rows[np.arange(queries) % size]
            cue = cues(patterns)
            for name, memory in memories(rows, size):
                right = (signs(memory, cue) == patterns).all(axis=1).sum()
                hits[name][size] = hits[name].get(size, 0) + right
    return hits


of_random, of_pictures = restored(random_rows, random_sizes), restored(picture_rows, picture_sizes)

# The table is in percent; rules stop at the smaller capacity.

print("| stored |", " | ".join(reversed(names)), "|")
for found, what, sizes in (
    (of_random, "random", (16, 32, 64, 96, 1024)),
    (of_pictures, "pictures", (8, 32, 64, 96, 900)),
):
    for size in sizes:
        counts = [found[name][size] for name in reversed(names) if size in found[name]]
        shares = [f"{100 * k / (draws * queries):.0f}" for k in counts]
        print(f"| {size} {what} |", " | ".join(shares), "|")

# What does a memory keep, and how long do twenty queries take to come to rest, relative to the
# fastest memory? Times are the medians of runs that take turns.

rows = random_rows()
cue = cues(rows[:queries])
timed = {"Pseudo-inverse, 32 patterns": dict(memories(rows, 32))["Pseudo-inverse"]}
for size in (few, many):
    some = dict(memories(rows, size))
    timed |= {f"{name}, {size} patterns": some[name] for name in (*dense, "`Memory`")}
taken = {name: [] for name in timed}
for _ in range(4):
    for name, memory in timed.items():
        start = time.perf_counter()
        jax.block_until_ready(attrax.retrieve(memory, cue).state)
        taken[name].append(time.perf_counter() - start)
taken = {name: np.median(runs[1:]) for name, runs in taken.items()}
print("| memory | numbers kept | time |")
for name, memory in timed.items():
    kept = sum(leaf.size for leaf in jax.tree.leaves(memory) if leaf.ndim == 2)
    print(f"| {name} | {kept} | {taken[name] / min(taken.values()):.1f} |")

# The figure shows both counts, and what six of 32 pictures come back as.

figure = Figure(figsize=(10.4, 4.2), layout="constrained")
axes = figure.subplots(1, 3, width_ratios=[1, 1, 0.85])
styles = dict(zip(names, ["o-", "s-", "D-", "v-", "o-", "^--"], strict=True))
for ax, found, title in (
    (axes[0], of_random, "random patterns"),
    (axes[1], of_pictures, "pictures of clothes, bright or dark"),
):
    for name in names:
        sizes = list(found[name])
        band = evaluate.success_bands(list(found[name].values()), draws * queries)
        thick = {"linewidth": 5, "alpha": 0.35} if name == "Exponential" else {}
        (line,) = ax.plot(sizes, band.value, styles[name], label=name.strip("`"), ms=4, **thick)
        ax.fill_between(sizes, band.low, band.high, color=line.get_color(), alpha=0.15, lw=0)
    ax.axvline(side * side, color="0.6", lw=1, ls=":")
    ax.text(side * side * 1.1, 0.5, "as many as\nunits, 100", color="0.4", fontsize="small")
    ax.set_xscale("log", base=2)
    ax.set_xticks([8, 32, 128, 512], ["8", "32", "128", "512"])
    ax.set(xlabel="number of patterns stored", xlim=(7, 1200), ylim=(-0.03, 1.03))
    ax.set_title(title, fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("share restored exactly, a tenth flipped")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)

rows = picture_rows()
six = rows[:32].mean(axis=1).argsort()[::6]  # from dark to bright
patterns = rows[np.resize(six, queries)]
cue = cues(patterns)
shown = {"stored": patterns[:6], "damaged": cue[:6]}
shown |= {name.strip("`"): signs(memory, cue)[:6] for name, memory in memories(rows, 32)}
sheet = np.stack(list(shown.values()))
plot.images(sheet, (side, side), axes[2], labels=list(shown), limits=(-1.0, 1.0))
axes[2].set_xlabel("six of 32 pictures stored")
figure.savefig("which_memory.png", dpi=110)
