"""Energy transformer: a block whose forward pass descends one energy.

Attention and a Hopfield network share the layer norm of the tokens, and both are slopes of one
energy. All steps have the same weights. It fills in hidden patches of images, and classifies nodes
and graphs with attention along edges.

**Source:** [hoover2023energy]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Hoover et al. (2023), "


def falling(form):
    """Energies along steps, the memories weighed by a form."""
    text = (
        f"{form} memories, random weights, α = 0.01 to 1: largest rise of the energy over its size"
    )

    @claim(text, paper="0 (theorem for small α)", source=PAPER + "Sec. 2; rounding", most=1e-13)
    def falls(run):
        return m.rise(run(m.descents, form))

    return falls


falls = {form: falling(form) for form in m.FORMS}


@claim(paper="0 (monotone)", source="its authors' tutorial notebook; rounding", most=1e-13)
def falls_as_in_the_notebook(run):
    """N = 100, D = 12, H = 2, Y = 6, M = 24, α = 0.5: largest rise of the energy over its size"""
    energies = run(m.notebook)
    first, last = energies[0, 0, 0], energies[0, 0, -1]
    note = f"In {energies.shape[-1] - 1} steps the energy falls from {first:.0f} to {last:.0f}."
    return Evidence(m.rise(energies), note)


@claim(paper="exact", source=PAPER + "Sec. 2; rounding", most=1e-12)
def slope_is_the_closed_form(run):
    """Slope of the energy by g, less the closed form: largest entry"""
    return run(m.identities).closed


@claim(paper="–", source="asked here; rounding", most=1e-12)
def network_has_the_same_energy(run):
    """The same, less the pull of a network of layer norm, attention and shared memories"""
    return run(m.identities).network


@claim(paper="exact", source=PAPER + "Sec. 2; rounding", most=1e-12)
def tokens_have_no_order(run):
    """Tokens permuted before 12 steps, less after: largest entry"""
    return run(m.identities).permuted


@claim(paper="–", source="asked here; rounding", most=1e-12)
def two_directions_are_flat(run):
    """∇²L of layer norm has eigenvalues 0 along 1 and γε/s³ along x − x̄: largest relative error"""
    note = (
        "States drift along both at no change of energy: the mean of a token does not matter, nor "
        "does its length."
    )
    return Evidence(run(m.flat_directions).max(), note)


@claim(paper="–", source="asked here", least=0.01)
def a_triangular_mask_is_not_causal(run):
    """Last of 10 tokens replaced under a triangular mask: change of the first one's drive"""
    note = (
        "Later tokens draw earlier ones, which are their keys. Without this half of the slope "
        "nothing leaks, but then it is the slope of no energy, so the block has no causal form."
    )
    return Evidence(run(m.identities).leak, note)


@claim(paper="fewer", source=PAPER + "experiments; bound asked here", most=0.5)
def fewer_parameters(run):
    """D = 768, H = 12, M = 3072: parameters over those of one transformer block"""
    note = "All 12 steps share them, and 12 transformer blocks have 12 times as many."
    return Evidence(run(m.parameter_ratio), note)


@claim(paper="–", source="asked here; stand-in for images of ImageNet", most=1)
def completes_better_than_the_mean_patch(run):
    """Digits, half of 16 patches hidden: squared error over that of the mean image"""
    done = run(m.completion, m.depth(run))
    note = f"The mean square is {done.errors.mean():.4f}, of the mean image {done.mean.mean():.4f}."
    return Evidence(done.errors / done.mean, note)


@claim(paper="–", source="asked here; stand-in for images of ImageNet", most=1)
def completes_better_than_without_steps(run):
    """The same: squared error over that of a model trained without steps"""
    return run(m.completion, m.depth(run)).errors / run(m.completion, 0).errors


@claim(paper="–", source="asked here; stand-in for four data sets of fraud", least=0)
def finds_anomalies(run):
    """150 nodes, 15 % unlike their neighbours, 40 % labels: macro-F1 less that of regression"""
    found = run(m.anomalies)
    note = (
        f"Macro-F1 is {found.steps.mean():.2f} with two steps, {found.none.mean():.2f} without "
        f"steps and {found.regression.mean():.2f} by logistic regression on features."
    )
    return Evidence(found.steps - found.regression, note)


@claim(paper="–", source="asked here; stand-in for TU data sets", least=0.9)
def tells_cycles_from_trees(run):
    """Cycles and random trees of 6 to 10 nodes, all nodes alike: accuracy on other graphs"""
    return run(m.cycles)


@claim(paper="as good as others", source=PAPER + "image section", most=1)
def imagenet(run):
    """ImageNet, 100 of 196 patches selected: squared error over that of a transformer"""
    raise NotRun(
        "needs ImageNet and some days on accelerators. The published weights are read by "
        "attrax.nn.read_image_energy_transformer where a user has the file: there is no command."
    )


@claim(paper="as good as others", source=PAPER + "graph section", least=0.9)
def tu_graphs(run):
    """Eight TU data sets: accuracy on graphs that were not trained on"""
    raise NotRun(
        "needs the data sets, which are not part of attrax: there is no command. The notebooks in "
        "its authors' repository train on all graphs of a set, without validation, load that one "
        "model and score random subsets of the same graphs: 90.2 % of NCI1, 90.4 % of PROTEINS and "
        "96.6 % of MUTAG are accuracies on training data, and no bound for a split that holds out."
    )
