"""Episodic memory: sequences as chains of states that last, driven by a delayed copy of the state.

A slow layer follows the features of a modern Hopfield network. Through synapses that lead one way
it drives the pattern that comes next, until this wins. At each delay there is an energy that the
features descend; between transitions the delay raises it.

**Source:** [karuvally2023general]
"""

from ...theory import episodic_dwell
from ..contract import Evidence, claim
from . import measure as m

CODE = "code of Karuvally et al. (2023), "
DERIVED = "derived here; 15 % set before"


@claim(paper="–", source=CODE + "DSEM, defaults", least=0.999)
def a_cycle_is_replayed_in_order(run):
    """7 random patterns of 100 signs: share of visits in order, with overlaps above 0.9"""
    found = run(m.cycles, 100.0)
    return Evidence(
        found.ordered,
        f"Between {found.counts.min():.0f} and "
        f"{found.counts.max():.0f} visits in each of {len(found.counts)} draws.",
    )


def dwelt(delay):
    """The dwell time at one delay."""

    @claim(
        f"The same, T = {delay:g} time constants of features: dwell time over −T ln(1 − 1/√A)",
        paper="–",
        source=DERIVED,
        least=0.85,
        most=1.15,
    )
    def dwell(run):
        strength = 0.7 * m.GAIN
        plain = float(episodic_dwell(strength, delay))
        full = float(episodic_dwell(strength, delay, features=1.0, cycle=m.COUNT))
        found = run(m.cycles, delay)
        note = (
            f"The mean is {found.dwells.mean():.1f}. The formula gives {plain:.1f}, and "
            f"{full:.1f} with the lag of the features and the length of the cycle."
        )
        return Evidence(found.dwells / plain, note)

    return dwell


dwells = {f"{delay:g}": dwelt(delay) for delay in (m.DELAYS[0], m.DELAYS[-1])}


@claim(paper="–", source="derived here", most=0.01)
def dwells_follow_from_two_filters(run):
    """Patterns without overlap, sharp softmax, T = 5, 20, 100 and A = 4.9, 34.3: dwell time over
    that with lag and cycle, less one, largest"""
    found = run(m.sharp)
    softer, first = abs(found.softer - 1).max(), abs(found.firsts - 1).max()
    note = (
        f"With the usual softmax, a tenth as sharp, it is up to {softer:.3f}: the next pattern "
        f"begins to count before it leads. First dwells differ from −T ln(1 − 1/A) by up to "
        f"{first:.3f}, where a step of Euler's method is up to 0.017."
    )
    return Evidence(abs(found.ratios - 1).max(), note)


@claim(paper="–", source="derived here", most=0)
def patterns_follow_only_above_one(run):
    """Patterns without overlap, A = 0.5 to 2, ten delays' time: strengths on the wrong side of 1"""
    found = run(m.thresholds)
    below, above = (", ".join(map(str, x)) for x in (found.below, found.above))
    note = (
        f"At A = 0.5, 0.8 and 0.95 there are {below} transitions, and {above} at 1.05, 1.2 and 2. "
        f"Of {len(found.random)} draws of random patterns at A = 0.7, with the usual softmax, "
        f"{(found.random > 0).sum()} left the pattern of the cue."
    )
    return Evidence((found.below > 0).sum() + (found.above == 0).sum(), note)


@claim(paper="–", source=CODE + "two sequences", most=0)
def sequences_do_not_mix(run):
    """A cycle of 3 and one of 4, cues of three quarters of a pattern: visits to the other cycle"""
    found = run(m.pairs)
    return Evidence(found.outside, f"Of all visits, {found.ordered.mean():.1%} are in order.")


@claim(paper="–", source="theorem at fixed delay; 64 ε of double", most=1.5e-14)
def energy_falls_at_each_delay(run):
    """Steps of features at the delay that is there: rise of the energy over the largest, largest"""
    return run(m.energies).rise


@claim(paper="–", source="asked here", least=0)
def energy_rises_between_transitions(run):
    """From 5 time constants after a transition to 2 before the next: rise of the energy over that
    of a pattern, mean of visits"""
    found = run(m.energies)
    note = (
        f"Draws have {found.between.min():.2f} to {found.between.max():.2f}, and the energy falls "
        f"by {found.falls.mean():.2f} at a transition, in units of α_s |ξ|²."
    )
    return Evidence(found.between, note)


@claim(paper="–", source="derived here; 1 if only features decide", most=1.5)
def transitions_do_not_slow_down(run):
    """Time from half an overlap to nine tenths, T = 200 over T = 20"""
    slow, fast = run(m.cycles, 200.0), run(m.cycles, 20.0)
    note = (
        f"It is {fast.rises.mean():.2f} and {slow.rises.mean():.2f}, and ln 5 = 1.61 where only "
        f"one pattern draws. Dwells are {(slow.dwells / fast.dwells).mean():.1f} times as long."
    )
    return Evidence(slow.rises / fast.rises, note)


@claim(paper="–", source="asked here; 64 ε of double", most=1.5e-14)
def identities_hold(run):
    """Patterns renumbered; α_c = 0 beside a modern network: difference of overlaps, largest"""
    found = run(m.invariants)
    return max(found.numbered, found.modern)


@claim(paper="–", source="asked here", most=0.01)
def steps_are_short_enough(run):
    """T = 20, steps of 0.01 and half of it: relative change of dwell times, largest"""
    return run(m.invariants).halved


@claim(paper="–", source="run of their code; 0.06 of the features' time", most=0.06)
def dwells_are_those_of_the_code(run):
    """DSEM at two strengths and LISEM, their patterns: difference of dwell times, largest"""
    found = run(m.official)
    listed = ", ".join(f"{name}: {value:.3f}" for name, value in found.items())
    note = (
        f"{listed}. They step by Runge-Kutta, features first and then the delay, and we by Euler."
    )
    return Evidence(max(found.values()), note)


@claim(paper="–", source=CODE + "LISEM, at α_c = 0.01", least=0.9)
def graded_features_replay_too(run):
    """LISEM, 5 random patterns: share of visits in order"""
    found, weak = run(m.linear, 0.01), run(m.linear, 0.004)
    note = (
        f"Draws have {found.counts.min():.0f} to {found.counts.max():.0f} visits. At the default "
        f"α_c = 0.004, {(weak.counts < 2).sum()} of {len(weak.counts)} draws do not leave the "
        "first pattern, or only once: its α_c β/α_s is 0.62, where chance overlaps must help."
    )
    return Evidence(found.ordered, note)


@claim(paper="exponential", source="abstract of the first version; bound asked here", least=0.1)
def capacity_grows_exponentially(run):
    """Patterns of which half make a first transition: growth of ln number by neuron"""
    found = run(m.capacity)
    listed = ", ".join(f"{w}: {x:.0f}" for w, x in zip(found.widths, found.halves, strict=True))
    return Evidence(found.growth, f"By number of neurons it is {listed}.")
