"""Simplicial Hopfield networks: pairs or triples, at the same number of connections.

Connections of a Hopfield network may join sets of three units as well as two. All triples beside
all pairs store far more, which is no surprise; but as few connections as there are pairs, some or
all of them triples drawn at random, store more than all pairs do.

**Source:** [burns2023simplicial]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Burns and Fukai (2023), "
ASKED = "asked here; "


@claim(paper="–", source=ASKED + "definition; 32 ε of double", most=7.2e-15)
def energies_are_enumerated(run):
    """N = 8, all states, sets of up to four: relative error of energies and drives"""
    return run(m.enumerated)


@claim(paper="–", source=ASKED + "E is linear in each unit", most=0)
def energy_falls(run):
    """N = 60, P = 15, half triples, and triples: flips that do not lower the energy, or stray"""
    found = [run(m.flips, condition) for condition in ("R12", "R2")]
    changes, rises, strays = (sum(numbers) for numbers in zip(*found, strict=True))
    note = (
        f"Of {changes} flips from random states, made in whole numbers, {rises} do not lower it; "
        f"{strays} sweeps of the library end elsewhere than these flips."
    )
    return Evidence(rises + strays, note)


def better_than_pairs(condition, mixture):
    """Overlaps of a mixture beyond those of all pairs."""
    text = f"N = 100, P = 30, {mixture} of as many connections: overlap beyond that of all pairs"

    @claim(text, paper="> 0", source=PAPER + "abstract; bound asked here", least=0.15)
    def gain(run):
        mixed, pairs = run(m.recall, condition).at(0.3), run(m.recall, "K1").at(0.3)
        note = f"They are {mixed.mean():.3f} and {pairs.mean():.3f}, from cues with 10 flips."
        return Evidence(mixed - pairs, note)

    return gain


same_budget = {
    "R12̄": better_than_pairs("R12̄", "a quarter triples"),
    "R12": better_than_pairs("R12", "half triples"),
    "R2": better_than_pairs("R2", "triples"),
}


@claim(paper="–", source=ASKED + "between loads of 0.05 and 0.3", least=1.5)
def capacity_grows(run):
    """N = 100, half triples: load at which the overlap falls to 0.95, over that of all pairs"""
    mixed, pairs = run(m.recall, "R12").load(), run(m.recall, "K1").load()
    note = f"The loads are {mixed.mean():.3f} and {pairs.mean():.3f}; larger ones count as 0.3."
    return Evidence(mixed / pairs.mean(), note)


@claim(paper="polynomial growth", source=PAPER + "abstract; bound asked here", least=0.99)
def skeleton_holds_all(run):
    """N = 100, P = 30, all pairs and triples: overlap at rest"""
    return run(m.recall, "K2").at(0.3)


@claim(paper="–", source=ASKED + "triples have three ends, pairs two", least=0.15)
def gain_is_not_of_inputs(run):
    """N = 100, P = 30, triples, as many at each unit: overlap beyond that of all pairs"""
    fewer, pairs = run(m.recall, "R2", "incidences").at(0.3), run(m.recall, "K1").at(0.3)
    all_of_them = run(m.recall, "R2").at(0.3).mean()
    note = (
        "The same number of connections gives a unit 1.5 times as many inputs if all are triples. "
        f"With two thirds of them the overlap is {fewer.mean():.3f}, with all {all_of_them:.3f}."
    )
    return Evidence(fewer - pairs, note)


@claim(paper="–", source=ASKED + "weights 1/N² of triples, as in dense memories", least=0.1)
def factor_is_common(run):
    """N = 100, P = 15, half triples: overlap with weights 1/N for both, beyond 1/N² for triples"""
    common, dense = run(m.recall, "R12"), run(m.recall, "R12", "simplices", "dense")
    note = f"With 1/N² it is {dense.at(0.15).mean():.3f}: as if there were half of the pairs alone."
    return Evidence(common.at(0.15) - dense.at(0.15), note)


@claim(paper="–", source=ASKED + "k connections at a unit, of any size", least=0.9, most=1.1)
def connections_count_alike(run):
    """N = 100, P = 30: unstable units of stored patterns, over Q(√(k/(P − 1)))"""
    names = {"K1": "all pairs", "R12": "half triples", "R2": "triples"}
    found = {name: run(m.stability, condition, 30) for condition, name in names.items()}
    listed = ", ".join(
        f"{each.unstable.mean():.4f} with {name} ({each.theory:.4f} in theory)"
        for name, each in found.items()
    )
    ratios = [each.unstable / each.theory for each in found.values()]
    return Evidence(sum(ratios) / len(ratios), f"The shares are {listed}.")


@claim(paper="–", source=ASKED + "sets of three change their sign with the state", most=0.01)
def mirror_images_go(run):
    """N = 100, P = 10, a quarter triples: share of mirror images −ξ that are at rest"""
    pairs = run(m.stability, "K1", 10).mirrored.mean()
    return Evidence(run(m.stability, "R12̄", 10).mirrored, f"With all pairs it is {pairs:.2f}.")


@claim(paper="–", source=ASKED + "the numbers of the paper were not seen", least=0)
def sets_find_images(run):
    """100 digits, half of their pixels zero: share found by pairs and triples, beyond Euclidean"""
    found, noisy = run(m.images, "zeros"), run(m.images, "noise")
    note = (
        f"They are {found.of('cumulative').mean():.3f} and {found.of('euclidean').mean():.3f}; "
        f"with salt and pepper in half of the pixels {noisy.of('cumulative').mean():.3f} and "
        f"{noisy.of('euclidean').mean():.3f}."
    )
    return Evidence(found.of("cumulative") - found.of("euclidean"), note)


@claim(paper="–", source=ASKED + "sets of one pixel are Manhattan's distance", least=0)
def single_pixels_find_more(run):
    """The same: share found by single pixels, beyond pairs and triples"""
    found = run(m.images, "zeros")
    note = (
        f"Single pixels find {found.of('manhattan').mean():.3f}. So what helps is that differences "
        "are not squared over all pixels, and the smaller the sets the better."
    )
    return Evidence(found.of("manhattan") - found.of("cumulative"), note)


@claim(paper="–", source=PAPER + "numbers of the figures not seen", least=0)
def images_of_the_paper(run):
    """MNIST, CIFAR-10 and Tiny ImageNet: share recalled by sets, less that by Euclidean"""
    raise NotRun(
        "needs the settings of the paper's figures, which could not be read: there is no command"
    )
