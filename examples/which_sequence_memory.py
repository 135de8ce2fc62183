"""Which sequence memory?

Sequences of random signs, of pictures that are bright or dark, and of pictures in grey levels are
stored, and replayed from damaged cues. The tables say how much of them comes back, for how long
patterns are held by memories that rest at each, and how long a step takes.
"""

import time

import jax
import numpy as np
from matplotlib.figure import Figure

import attrax
from attrax import data, models, plot
from attrax.dynamics import Euler, Replay
from attrax.separation import Identity, Power, Softmax
from attrax.similarity import LinearKernel, whitened

attrax.enable_compilation_cache()  # the next run starts faster

longest, steps, cues, size, lengths = 1000, 50, 20, 40, (10, 20, 50, 100, 200, 1000)
rng = np.random.default_rng(0)
pictures = rng.permutation(data.load("sample").x)  # in a random order
bright = np.where(pictures > 0.3, 1.0, -1.0).astype(np.float32)
random = rng.choice(np.array([-1, 1], np.float32), (longest, 100))
found, taken = {}, {}  # shares, and the shortest time of 50 steps with pictures


def replayed(name, memory, cue, starts, length):
    """How many percent of 50 steps, or of a shorter sequence, follow a cue; and the paths."""
    begin = time.perf_counter()
    run = jax.block_until_ready(attrax.retrieve(memory, cue, Replay(steps), path=True))
    wall = time.perf_counter() - begin
    lost = np.asarray(run.outcome == attrax.Outcome.lost)
    right = np.minimum(run.steps - lost, length) / min(steps, length)
    # What was replayed without a fault may have begun at another pattern.
    elsewhere = ~lost & (run.index % length != (starts + steps) % length)
    if cue.shape[1] == 784 and not lost.any():
        taken[name] = min(wall, taken.get(name, np.inf))
    return 100 * np.mean(np.where(elsewhere, 0, right)), run.path


# Sequences are cyclic. Twenty cues are patterns from all over a sequence, a tenth of their signs
# flipped, and 50 steps from each pass through all of it. A shorter sequence is stored again and
# again up to 1000 rows, which changes no sign, so that one program serves all lengths. The matrix
# that whitens is filled up by zeros; it is for fewer patterns than there are units.

kinds = {f"`{part.label}`": part for part in (Identity(), Power(2), Power(10))}
kinds |= {"whitened, `Power(3)`": Power(3), "the default": None}
print("| stored |", " | ".join(kinds), "|")
for what, rows in (("random", random), ("pictures", bright)):
    for length in lengths:
        stored = np.resize(rows[:length], rows.shape)
        starts = np.arange(cues) * length // cues
        order = rng.random((cues, rows.shape[1])).argsort(axis=1).argsort(axis=1)
        cue = np.where(order < rows.shape[1] // 10, -stored[starts], stored[starts])
        matrix = np.zeros((rows.shape[1], rows.shape[1]), np.float32)
        if length <= len(matrix):
            matrix[:length] = whitened(rows[:length]).weights
        shares = []
        for name, separation in kinds.items():
            similarity = LinearKernel(matrix) if "whitened" in name else None
            if similarity is not None and length > len(matrix):
                shares.append("–")
                continue
            options = {"similarity": similarity, "units": "signs", "cyclic": True}
            memory = models.sequence_memory(stored, separation, **options)
            share, _ = replayed(f"signs: {name}", memory, cue, starts, length)
            found.setdefault((what, name), []).append(share)
            shares.append(f"{share:.0f}")
        print(f"| {length} {what} |", " | ".join(shares), "|")

# Pictures in grey levels: the cue starts the replay as it is, or `Memory` restores it first.

memory, first = models.sequence_memory(pictures, cyclic=True), attrax.Memory(pictures)
starts = np.arange(cues) * longest // cues
upper = np.arange(784) < 392
damaged = {
    "noise, σ = 0.5": pictures[starts] + 0.5 * rng.normal(size=(cues, 784)).astype(np.float32),
    "lower half black": np.where(upper, pictures[starts], np.float32(0)),
    "lower half missing, `known=`": np.where(upper, pictures[starts], np.float32(np.nan)),
}
strips = {}
print("| cue | at once | `Memory` first |")
for name, cue in damaged.items():
    known = upper if "known" in name else None
    restored = attrax.retrieve(first, cue, known=known).state
    shares = ["–"] if "known" in name else []
    for start in [cue, restored][len(shares) :]:
        share, path = replayed("grey levels: the default", memory, start, starts, longest)
        shares.append(f"{share:.0f}")
    strips[name] = [np.nan_to_num(cue[1], nan=0.5), *path[1, (1, 2, 3, 25, 50), :]]
    print(f"| {name} |", " | ".join(shares), "|")

# Memories that rest at each of 40 patterns: how many of 40 changes lead to the next pattern, and
# the shortest and the longest rest, in steps of `Replay` or time constants of the features.

graph = models.transition_graph([range(size)])
leads = {}
print("| memory | changes right | shortest | longest |")
for what, rows in (("random", random[:size]), ("pictures", bright[:size])):
    options = {"units": "signs", "cyclic": True, "trace": np.ones(6)}
    resting = {
        f"mixed, `{part.label}`": models.sequence_memory(rows, part, hold=part, **options)
        for part in (Power(10), Softmax(1.0))
    }
    resting["episodic"] = models.episodic_memory(rows, graph, delay=20.0)
    for name, memory in resting.items():
        scale = 20 if name == "episodic" else 1
        how = Euler(1 / scale, max_steps=14000) if scale > 1 else Replay(300)
        path = attrax.retrieve(memory, rows[0], how, path=True).path
        lead = leads[what, name] = np.argmax(path @ rows.T, axis=1)
        changes = np.flatnonzero(np.diff(lead))
        wrong = (np.diff(lead) % size)[changes] != 1
        right = min(int(wrong.argmax()) if wrong.any() else len(changes), size)
        rests = np.diff(changes[: right + 1]) / scale
        print(f"| {what}: {name} | {right} | {rests.min():.0f} | {rests.max():.0f} |")

print("| memory | time of a step |")
for name, wall in taken.items():
    print(f"| {name} | {wall / taken['grey levels: the default']:.1f} |")

figure = Figure(figsize=(10.4, 3.8), layout="constrained")
axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 0.95])
for ax, what in zip(axes[:2], ("random", "pictures"), strict=True):
    for name, style in zip(kinds, ("o-", "s-", "D-", "v--", "o-"), strict=True):
        shares = found[what, name]
        thick = {"lw": 5, "alpha": 0.35} if name == "the default" else {}
        ax.plot(lengths[: len(shares)], shares, style, label=name.replace("`", ""), ms=4, **thick)
    ax.set_xscale("log")
    ax.set(xlabel="patterns in the sequence", ylim=(-3, 103))
axes[0].set_ylabel("steps replayed (%)")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
for name, style in (("mixed, `Softmax`", "-"), ("episodic", "--")):
    lead = leads["random", name]
    times = np.arange(len(lead)) / (20 if name == "episodic" else 1)
    now = times <= 100
    axes[2].step(times[now], lead[now], style, label=name.replace("`", ""), where="post")
axes[2].set(xlabel="steps, or time constants", ylabel="most like pattern", yticks=range(0, 18, 4))
axes[2].legend(frameon=False)
titles = ("100 random signs", "pictures, bright or dark", "resting", "noise, black, known")
for ax, title in zip(axes, titles, strict=True):
    ax.set_title(title, fontsize="medium")
for ax in axes[:3]:
    ax.spines[["top", "right"]].set_visible(False)
sheet = np.stack([np.stack(strip) for strip in strips.values()], axis=1)
plot.images(sheet, (28, 28), axes[3], labels=["cue", "1", "2", "3", "25", "50"], limits=(0, 1))
figure.savefig("which_sequence_memory.png", dpi=110)
