"""Accuracy over tasks, what is kept of each, components taken away, and when the switch is over."""

import numpy as np

from ..panels import panel
from . import measure as m

NAMES = {
    "relu": "ReLU",
    "top_k": "masked Top-k",
    "no switch": "no switch",
    "norms": "no unit norms",
    "signs": "both signs",
    "biases": "biases",
    "all active": "no Top-k",
    "masked": "mask, no subtraction",
    "momentum": "momentum",
    "sdm": "SDMLP",
    "elastic": "SDMLP, elastic",
    "replay": "ReLU, replay",
}
COLOURS = {"sdm": "C0", "elastic": "C2", "relu": "C1", "top_k": "C4", "replay": "0.55"}


def measured(run, kinds):
    """Those of the kinds that this profile measures."""
    slow = m.SLOW if run.profile == "quick" else ()
    return [kind for kind in kinds if kind not in slow]


@panel(xlabel="pairs of digits learnt", ylabel="accuracy, all ten digits", ylim=(0, 1.03))
def tasks(ax, run):
    """One pair of digits after another"""
    for kind in measured(run, ("replay", "elastic", "sdm", "relu", "top_k")):
        overall = run(m.trained, kind).overall
        steps = np.arange(1, overall.shape[1] + 1)
        look = {"color": COLOURS[kind], "ls": "--" if kind == "replay" else "-"}
        look |= {"marker": "o", "ms": 4, "lw": 1.2, "label": NAMES[kind]}
        ax.errorbar(steps, overall.mean(0), overall.std(0), **look)
    ax.set_xticks(steps)


@panel(xlabel="pair that is asked", ylabel="accuracy at the end", ylim=(0, 1.3))
def kept(ax, run):
    """What is left of each pair at the end"""
    kinds = measured(run, ("relu", "sdm", "elastic", "replay"))
    width = 0.8 / len(kinds)
    for i, kind in enumerate(kinds):
        last = run(m.trained, kind).accuracy[:, -1].mean(0)
        places = np.arange(len(last)) + (i - (len(kinds) - 1) / 2) * width
        ax.bar(places, last, width, color=COLOURS[kind], label=NAMES[kind])
    ax.set_xticks(range(5), ["0, 1", "2, 3", "4, 5", "6, 7", "8, 9"])
    ax.set_yticks(np.arange(6) / 5)
    ax.legend(fontsize=8, ncols=2, loc="upper center")


@panel(xlabel="at the end", xlim=(0, 1))
def components(ax, run):
    """An SDMLP with one component taken away"""
    kinds = measured(
        run,
        ("sdm", "masked", "signs", "no switch", "all active", "norms", "biases", "momentum"),
    )[::-1]
    places = np.arange(len(kinds))
    found = [run(m.trained, kind) for kind in kinds]
    final, dead = (
        [each.mean() for each in x] for x in ([f.final for f in found], [f.dead for f in found])
    )
    ax.barh(places + 0.2, final, 0.38, label="accuracy")
    ax.barh(places - 0.2, dead, 0.38, color="0.7", label="dead neurons")
    ax.set_yticks(places, [NAMES[kind] for kind in kinds])


@panel(xlabel="switch s, over examples of a task", xscale="log", ylim=(0, 1.03))
def switch(ax, run):
    """When inhibition is complete"""
    if run.profile == "quick":
        raise m.NotRun(m.COMMAND)
    ratios = (0.1, 0.3, 1.0, 3.0, 10.0)
    found = [run(m.switched, "sdm", ratio, 2) for ratio in ratios]
    for name, label in (("final", "accuracy at the end"), ("dead", "dead neurons")):
        values = np.stack([getattr(each, name) for each in found])
        ax.errorbar(ratios, values.mean(1), values.std(1), fmt="o-", ms=4, lw=1.2, label=label)
    ax.axvline(1, color="0.5", lw=1, ls=":")
