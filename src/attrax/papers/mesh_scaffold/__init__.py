"""MESH: a scaffold of fixed points keeps patterns without a cliff, up to the synapses' bound.

Labels of k ones and hidden units make fixed points before anything is stored, and patterns are
only attached to them. Up to as many as there are hidden units are read without error, and beyond
all are read less exactly, where a Hopfield network of as many synapses loses all at once.

**Source:** [sharma2022content]
"""

from ..contract import Evidence, claim
from . import measure as m

PAPER = "Sharma, Chandra and Fiete (2022), "
LAW = "derived here from "


@claim(paper="–", source=PAPER + "scaffold of 18, 3 and 300; bound asked here", most=0)
def labels_are_fixed(run):
    """N_L = 18, k = 3, N_H = 300: of all 816 labels, those that are not fixed points"""
    return run(m.scaffolds).loose


@claim(paper="–", source="asked here", least=0.95)
def basins_are_large(run):
    """The same, a fifth of the hidden units flipped: share of labels that are found"""
    found = run(m.scaffolds).found
    listed = ", ".join(f"{x:.3f}" for x in found.mean(0)[: len(m.FLIPS)])
    note = f"With 5, 10, 20 and 30 % of them flipped it is {listed}."
    return Evidence(found[:, m.FLIPS.index(0.2)], note)


@claim(paper="–", source="asked here; condition number times 32 ε of double", most=1.7e-8)
def writes_are_least_squares(run):
    """400 patterns of 200, written one by one: matrices less least squares, largest difference"""
    return run(m.disagreement)


@claim(paper="–", source="asked here; exact while P ≤ N_F", most=0)
def hidden_recall_is_exact(run):
    """All 816 patterns of 816 features as cues: hidden units that are wrong"""
    return run(m.misplaced)


@claim(paper="perfect", source=PAPER + "abstract; 0.1 % as in their code", least=0.998)
def recall_is_perfect_up_to_the_hidden_units(run):
    """P = 300 = N_H patterns: overlap"""
    return run(m.curves).at(300)


@claim(paper="–", source=LAW + "projections; bound asked here", most=0.01)
def overlaps_follow_the_law(run):
    """50 to 816 patterns: overlap less erf √(N_H/2(P − N_H)), largest difference"""
    curves = run(m.curves)
    listed = ", ".join(f"{curves.at(n).mean():.3f} at {n}" for n in (340, 400, 500, 600, 700, 816))
    return Evidence(curves.off(), f"Overlaps are {listed}.")


@claim(paper="near the bound", source=PAPER + "abstract; bound of the law", least=0.46)
def information_stays(run):
    """300 to 816 patterns: bits in all over N_H N_F, the least"""
    bits = run(m.curves).beyond()
    note = (
        f"The last is {bits[:, -1].mean():.3f}, and for many patterns it would be 0.459. Of all "
        "N_H (2 N_F + 2 N_L) = 500 400 synapses, those of the law are 49 %."
    )
    return Evidence(bits.min(1), note)


@claim(paper="–", source=LAW + "the law, whose maximum is 1.0993", most=1.1)
def information_is_bounded(run):
    """The same, the most"""
    curves = run(m.curves)
    most = curves.sizes[curves.bits.mean(0).argmax()]
    note = f"That is at {most} patterns, where some features are wrong already."
    return Evidence(curves.beyond().max(1), note)


def cliff(name, size, text, official=""):
    """What a network of as many synapses reads of more patterns than it holds."""

    @claim(
        f"708 units, {text}, {size} patterns: overlap",
        paper=official or "–",
        source=PAPER + "results of their code; bound asked here",
        most=0.5,
    )
    def lost(run):
        overlaps, mesh = run(m.baseline, name), run(m.curves)
        before = {"PseudoInverse": 700}.get(name, 50)
        note = (
            f"Of {before} patterns it is {overlaps.at(before).mean():.3f}. The scaffold has "
            f"{mesh.at(816).mean():.3f} of 816."
        )
        return Evidence(overlaps.at(size), note)

    return lost


cliffs = {
    "Hebb": cliff("Hebb", 150, "Hebb's rule"),
    "PseudoInverse": cliff("PseudoInverse", 720, "pseudo-inverse"),
    "BoundedHebb": cliff("BoundedHebb", 150, "couplings bounded at 0.7", "0.40"),
}


@claim(paper="no cliff", source=PAPER + "abstract; bound asked here", least=0.5)
def noise_makes_no_cliff(run):
    """816 patterns, 5 % of the cues' features flipped: overlap, over that of clean cues"""
    clean, noisy = run(m.curves), run(m.curves, 0.05)
    ridged = run(m.curves, 0.05, m.FEATURES / 8)
    shares = noisy.at(816) / clean.at(816).mean()
    listed = ", ".join(f"{noisy.at(n).mean():.2f}" for n in (400, 600, 700, 816))
    note = (
        f"Overlaps with noise are {listed} at 400, 600, 700 and 816 patterns. The pseudo-inverse "
        "of nearly as many patterns as features amplifies what is wrong in a cue. A ridge of d/8 "
        "in its place, which is attrax's own choice, takes that away, and leaves clean cues exact."
    )
    return Evidence(shares, note, intervention=ridged.at(816) / clean.at(816).mean())


@claim(paper="–", source=LAW + "independent hidden states; bound asked here", most=0.01)
def hebb_follows_its_law(run):
    """Hebb's rule, independent hidden states: overlap less erf √(N_H/2P), largest difference"""
    return run(m.hebbian).off()


@claim(paper="–", source="asked here", most=0.5)
def hebb_fails_on_the_scaffold(run):
    """Hebb's rule, 100 hidden states of the scaffold: overlap"""
    hebbian = run(m.hebbian)
    listed = ", ".join(f"{x:.2f}" for x in hebbian.scaffold.mean(0))
    note = f"For 100, 200, 400 and 816 it is {listed}: states of labels that share units are alike."
    return Evidence(hebbian.scaffold[:, 0], note)


@claim(paper="–", source="asked here; the law falls by 0.14", most=0.2)
def images_fade(run):
    """Fashion-MNIST, 100 to 816 images: overlap or correlation, largest fall in a hundred more"""
    images = run(m.images)
    ends = images.signs[-1], images.correlations[-1]
    note = f"With 816 images the overlap of signs is {ends[0]:.2f}, that of pixels {ends[1]:.2f}."
    return Evidence(images.steepest(), note)
