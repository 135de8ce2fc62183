"""Slopes of losses, what a batch retrieves, gradients along training, and accuracies."""

import numpy as np

from ..contract import NotRun
from ..panels import panel
from . import measure as m

_COLOURS = {"CLIP": "C0", "InfoLOOB alone": "C1", "retrieval alone": "C2", "CLOOB": "C3"}


@panel(xlabel="logit of the pair, beside 15 others of logit 0", ylabel="−slope of the loss")
def slopes(ax, run):
    """InfoNCE stops learning from a pair that is told apart"""
    logits = tuple(np.linspace(0, 12, 25).tolist())
    for name, colour in (("InfoNCE", "C0"), ("InfoLOOB", "C3")):
        ax.plot(logits, -run(m.slopes, name, logits), color=colour, lw=1.4, label=name)


@panel(xlabel="β of the memory", ylabel="cosine", xscale="log", ylim=(-0.05, 1.05))
def reads(ax, run):
    """8 features in 128 noisy rows: what the batch retrieves"""
    found = [run(m.retrieved, beta) for beta in m.BETAS]
    for name, colour, label in (
        ("after", "C3", "with the feature of the own group"),
        ("between", "C7", "between groups"),
    ):
        means = [getattr(each, name).mean() for each in found]
        ax.plot(m.BETAS, means, "o-", color=colour, ms=4, lw=1.2, label=label)
    ax.axhline(found[0].before.mean(), color="0.35", lw=1, ls="--", label="with it, as stored")
    ax.axvspan(m.BETA, m.LARGER, color="C3", alpha=0.12, lw=0, label="β of the published code")


@panel(xlabel="step of training", ylabel="norm of the gradient", ylim=(0, None))
def gradients(ax, run):
    """Half digits: gradients along training"""
    for arm, colour in _COLOURS.items():
        learnt = run(m.learnt, arm)
        ax.plot(learnt.steps, learnt.gradients.mean(1), color=colour, lw=1.4, label=arm)


@panel(ylabel="accuracy")
def accuracy(ax, run):
    """Half digits: accuracy by means of classes, by batch"""
    batches = {
        "128": lambda arm: run(m.learnt, arm).accuracy,
        "128, others of\nthe class left out": lambda arm: run(
            m.apart, arm, "others of the class left out"
        ),
        "10": lambda arm: run(m.apart, arm, "ten"),
        "10, one of\neach class": lambda arm: run(m.apart, arm, "one of each class"),
    }
    shown = []
    for place, (name, measure) in enumerate(batches.items()):
        arms = tuple(_COLOURS) if place == 0 else ("CLIP", "InfoLOOB alone", "CLOOB")
        try:
            values = [measure(arm) for arm in arms]
        except NotRun:
            continue
        shown.append(name)
        for arm, accuracies in zip(arms, values, strict=True):
            x, error = place + 0.15 * (list(_COLOURS).index(arm) - 1.5), accuracies.std(ddof=1)
            style = {"color": _COLOURS[arm], "capsize": 3, "label": arm if place == 0 else None}
            ax.errorbar(x, accuracies.mean(), error / len(accuracies) ** 0.5, fmt="o", **style)
    ax.set_xticks(range(len(shown)), shown, fontsize=8)
    ax.set_xlim(-0.5, len(shown) - 0.5)
