"""Memorizing transformers: a bank of pairs of the past, of which each token reads the nearest.

A layer keeps the keys and values of a document in a bank, without gradients. A token reads the k
nearest of them beside its segment, and a gate joins both reads. So the reach of a model is a number
that can be changed after training.

**Source:** [wu2022memorizing], [dai2019transformer]
"""

import numpy as np

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Wu et al. (2022), "
ASKED = "asked here; 64 ε of double"


@claim(paper="–", source=ASKED, most=1.5e-14)
def all_rows_are_a_softmax(run):
    """k = M = 96, four heads: the read of a bank less a softmax of all, largest difference"""
    return run(m.identities).dense


@claim(paper="–", source=ASKED, most=1.5e-14)
def the_joint_gate_is_one_softmax(run):
    """Gate Z_m/(Z_m + Z_c): both reads of a layer less one softmax of all, largest difference"""
    return run(m.identities).joint


@claim(paper="–", source="asked here; theorem", most=1)
def truncation_is_bounded(run):
    """4096 normal rows, k = 8 to 512, β = ¼ and 1: error of a read over 2 ε max |v|, largest"""
    found = run(m.truncation)
    listed = ", ".join(
        f"{100 * share:.0f} % at k = {k}"
        for k, share in zip(m.BEST, found.left_out[0].mean(1), strict=True)
    )
    note = (
        f"The rows left out weigh ε of a softmax of all, which is {listed} for β = ¼, that is "
        "1/√z: the best few rows stand for all of them only where weights are peaked."
    )
    return Evidence(np.max(found.errors / (2 * found.left_out * found.largest)), note)


@claim(paper="–", source="asked here", most=1)
def errors_fall_with_k(run):
    """The same: mean error of a read over that at the next smaller k, largest"""
    errors = run(m.truncation).errors.mean(2)
    return np.max(errors[:, 1:] / errors[:, :-1])


@claim(paper="–", source="asked here", most=0)
def no_row_is_wrong(run):
    """1500 rows into 100 places, read by all keys after each write: wrong values and places"""
    found = run(m.overflow)
    note = f"{found.reads} reads: only the last 100 rows are found, each with its own value."
    return Evidence(found.wrong + found.misplaced, note)


@claim(paper="–", source="asked here; 32 ε", most=3.9e-6)
def an_empty_bank_is_no_memory(run):
    """First segment of a document: logits of a model with a bank less those of one without"""
    return run(m.first_segment)


@claim(paper="–", source="1 − (1 − 1/k)^k at k = 128, ± 0.01", least=0.624, most=0.644)
def buckets_find_two_thirds(run):
    """Best of 128 buckets of 64 rows: share of the best 128 of 8192 that is among them"""
    note = (
        "The published code searches so; the paper speaks of a search that finds about 90 %. "
        "attrax's search is exact."
    )
    return Evidence(run(m.recall), note)


@claim(paper="–", source="asked here", least=0.95)
def memory_covers_the_gap(run):
    """Definitions looked up 4 segments of 32 tokens later, M = 128: share answered"""
    copied = run(m.copied)
    note = f"{copied.shares.shape[0]} models, {copied.losses.shape[1]} steps of 8 documents each."
    return Evidence(copied.at(m.TRAINED), note)


@claim(paper="–", source="asked here; chance is ¼", least=m.CHANCE - 0.05, most=m.CHANCE + 0.05)
def memory_ends_with_its_places(run):
    """M = 96, or models without a bank, what is farther from chance: share answered"""
    copied = run(m.copied)
    short, none = copied.at(96), copied.without
    note = f"With M = 96 it is {short.mean():.3f}, and without a bank {none.mean():.3f}."
    return Evidence(max(short, none, key=lambda shares: abs(shares.mean() - m.CHANCE)), note)


def better(name, text):
    """A model with a bank beside one without, by seed: same weights, same texts."""

    @claim(
        f"Python's library, equal steps: nats per byte without a bank, less with {text}",
        paper="better",
        source=PAPER + "Table 4",
        least=0,
    )
    def gain(run):
        with_it, plain, cache = (run(m.read, kind) for kind in (name, "plain", "cache"))
        own = with_it.held
        note = (
            f"Nats are {own.mean():.3f}, {plain.held.mean():.3f} without memory, and "
            f"{cache.held.mean():.3f} with a cache of {m.SEGMENT} inputs in every layer; models "
            f"have {with_it.parameters}, {plain.parameters} and {cache.parameters} parameters."
        )
        return Evidence(plain.held - own, note)

    return gain


gains = {name: better(name, f"a {name} gate") for name in ("scalar", "joint")}


@claim(paper="–", source="asked here", least=0)
def better_at_equal_time(run):
    """The same, scalar gate, and the model without a bank trained as long in seconds"""
    with_it, longer = run(m.read, "scalar"), run(m.longer)
    note = (
        f"A step with the bank takes {run.config.get('text.times', 1.0):.2f} times as long; so "
        f"many more steps without one lead to {longer.held.mean():.3f} nats."
    )
    return Evidence(longer.held - with_it.held, note)


@claim(paper="smaller", source=PAPER + "Table 5; ± 0.002 asked here", most=0.002)
def a_larger_bank_needs_no_training(run):
    """Trained with M = 256, read with M = 32 to 1024: largest rise of nats per byte"""
    nats = run(m.read, "scalar").nats
    listed = ", ".join(f"{x:.3f}" for x in nats.mean(0))
    capacities = ", ".join(map(str, m.LARGER))
    note = f"With M = {capacities} nats are {listed}."
    return Evidence(np.diff(nats, axis=1).max(1), note)


@claim(paper="2.37", source=PAPER + "Table 4", least=0.0, most=2.42)
def perplexity_of_articles(run):
    """arXiv, 200 million parameters, cache of 512 tokens and M = 8192: perplexity"""
    raise NotRun(
        "needs the corpora and days on accelerators, which are not part of attrax: there is no "
        "command"
    )
