"""TEM-t: a transformer with recurrent position codes as a memory of places.

A position code that follows the actions of an agent makes queries and keys, and observations make
values. What was seen at a place is then predicted along links that were never taken. The memory of
the Tolman-Eichenbaum machine is the same with linear attention in place of softmax.

**Source:** [whittington2022relating]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Whittington, Warren and Behrens (2022), "
WALKS = "8 × 8 nodes, 45 observations, walks of 500 steps, 32 random phases"


def zero_shot(noise):
    """Zero-shot accuracy at a noise of path integration."""

    @claim(
        f"{WALKS} with noise {noise:g} a step: accuracy on untaken links",
        paper="–",
        source="asked here; no error to three digits",
        least=0.9995,
    )
    def accuracy(run):
        paths = run(m.paths, noise, False)
        return Evidence(paths.accuracy(), f"There were {paths.untaken.sum()} such steps.")

    return accuracy


exact = {f"{noise:g}": zero_shot(noise) for noise in (0.0, 0.02)}


@claim(paper="–", source="asked here; errors grow as √t", least=0.01)
def drift_spoils(run):
    """The same with noise 0.1: accuracy on untaken links without noise, less that with it"""
    none, some, more = (run(m.paths, noise, False).accuracy() for noise in (0.0, 0.1, 0.2))
    note = f"It is {some.mean():.3f} with noise 0.1, and {more.mean():.3f} with noise 0.2."
    return Evidence(none - some, note)


@claim(paper="–", source=PAPER + "App. A.2; bound asked here", least=0.99)
def landmarks_repair(run):
    """The same with noise 0.1 and landmark correction: accuracy on untaken links"""
    more = run(m.paths, 0.2, True)
    note = (
        "What is recognised draws the position code to where it was stored. With noise 0.2 the "
        f"accuracy is {more.accuracy().mean():.3f}, and {more.surplus.mean():.0f} places of a "
        "walk are stored again because their code has drifted too far."
    )
    return Evidence(run(m.paths, 0.1, True).accuracy(), note)


@claim(paper="–", source=PAPER + "App. A.2; bound asked here", most=0)
def gate_stores_conjunctions_once(run):
    """The same without noise: memories stored less nodes visited, largest"""
    paths = run(m.paths, 0.0, False)
    visited = (~paths.visited).sum(1).mean()
    return Evidence(
        abs(paths.surplus).max(), f"Walks of 500 steps visit {visited:.1f} of 64 nodes."
    )


@claim(paper="–", source=PAPER + "Sec. 3; bound asked here", most=0)
def reads_are_causal(run):
    """Other observations from a step on: change of predictions up to that step, largest"""
    return run(m.looks_ahead)


@claim(paper="equal", source=PAPER + "Sec. 5; 64 ε of double", most=1.5e-14)
def conjunctions_are_linear_attention(run):
    """200 random conjunctions: read of their matrix less attention with gains, over the largest"""
    return run(m.disagreement)


@claim(paper="–", source=PAPER + "App. A.2; bound asked here", least=0)
def growing_beta_stays_sharp(run):
    """β_t = 1.5 ln n, 512 entries: weight of the memory asked for, of 1024 less of 16"""
    weights = run(m.sharpness, True)
    return Evidence(weights[:, -1] - weights[:, 0], _listed(weights))


@claim(paper="–", source="asked here; without noise 0.07", most=0.1)
def fixed_beta_dilutes(run):
    """The same with β of 16 memories fixed: weight of 1024 over that of 16"""
    weights = run(m.sharpness, False)
    return Evidence(weights[:, -1] / weights[:, 0], _listed(weights))


def _listed(weights):
    listed = ", ".join(f"{x:.3f}" for x in weights.mean(0))
    return f"Of {', '.join(map(str, m.SIZES))} memories the weight is {listed}."


@claim(paper="near 1", source=PAPER + "Fig. 5 and 11; bound asked here", least=0.95)
def units_are_place_like(run):
    """Phases of normal frequencies, β = ln n: share of memory units with one connected field"""
    units = run(m.units)
    note = (
        "The 32 frequencies have a standard deviation of 0.6 a step, and a field is where activity "
        f"is above a fifth of its peak. There were {units.counts.sum()} units."
    )
    return Evidence(units.fields(), note)


@claim(paper="remap", source=PAPER + "Fig. 5; bound asked here", least=-0.05, most=0.05)
def units_remap(run):
    """The same: correlation of the map of a unit in two worlds, in the order of writing"""
    return run(m.units).correlations()


@claim(paper="–", source=PAPER + "Fig. 4 shows curves; bound asked here", least=0.1)
def beats_recurrent_network(run):
    """5 × 5 nodes, 12 observations, trained: accuracy on untaken links less that of a GRU"""
    ours, theirs = run(m.trained, "transformer"), run(m.trained, "recurrent")
    a, b = ours.untaken[-1], theirs.untaken[-1]
    note = (
        f"TEM-t with {ours.parameters} parameters is right on {a.mean():.3f} of {ours.links[0]} "
        f"untaken links, and a GRU with {theirs.parameters} on {b.mean():.3f}, after "
        f"{ours.steps[-1]} steps of training each, {len(a)} networks of each kind."
    )
    return Evidence(a - b, note)


@claim(paper="–", source="asked here", least=0.95)
def untaken_links_are_as_good(run):
    """The same: accuracy of TEM-t on untaken links, over that on taken ones"""
    ours, theirs = run(m.trained, "transformer"), run(m.trained, "recurrent")
    ratio = (theirs.untaken[-1] / theirs.taken[-1]).mean()
    note = f"There were {ours.links[1]} steps by taken links. For the GRU it is {ratio:.3f}."
    return Evidence(ours.untaken[-1] / ours.taken[-1], note)


@claim(paper="above 0.3", source=PAPER + "Fig. 1 and 9", least=0.3)
def codes_are_grid_like(run):
    """Rectified position codes after long training: grid score"""
    raise NotRun(
        "needs networks trained for 20 000 steps in larger worlds with penalties on codes, which "
        "are not part of attrax: there is no command"
    )
