"""Long sequence Hopfield memory: each pattern is answered with the next.

Couplings from each pattern to its successor replay a sequence. A separation of the overlaps, a
power or an exponential, makes sequences possible that are much longer than the network is wide, and
a second term holds each pattern for several steps.

**Source:** [chaudhry2023long]
"""

import numpy as np

from attrax import theory

from ..contract import Evidence, claim
from . import measure as m

PAPER = "Chaudhry et al. (2023), "


@claim(paper="equal", source=PAPER + "Sec. 2", most=0)
def linear_memory_is_a_matrix(run):
    """f(x) = x less sgn(JS), J without diagonal, 200 states of 100 units: units that differ"""
    return run(m.matrix_errors)


@claim(paper="full recall", source=PAPER + "Fig. 1, 300 units, 100 patterns", least=1)
def quadratic_memory_recalls(run):
    """Degree 2, 300 units, 100 patterns: least overlap with the pattern whose turn it is"""
    return float(run(m.traces, 2).min())


@claim(paper="lost", source=PAPER + "Fig. 1; bound asked here", most=0.5)
def linear_memory_loses(run):
    """Degree 1, same patterns: overlap after 20 steps"""
    found = run(m.traces, 1)
    return Evidence(found[:, 20], f"After five steps it is {found[:, 5].mean():.2f}.")


@claim(paper="1 for N → ∞", source=PAPER + "Fig. 2A; factor 1.5 asked here", most=1.5)
def steps_follow_normal_noise(run):
    """Degrees 1 to 4, 10 to 100 units, and exponentials, 5 to 25: longest sequences of which half
    the steps are right, over those of normal noise, factor where these are farthest apart"""
    return farthest(run, lambda degree, units: m.normal(degree, units))


@claim(paper="–", source="law of one step, see the page; factor 1.25 asked here", most=1.25)
def steps_follow_their_law(run):
    """The same, over the law of one step: how many patterns are at which distance from the cue"""
    return farthest(run, lambda degree, units: run(m.law, degree, units))


def farthest(run, theory_of):
    """The ratio of capacities that is farthest from one, or its inverse, with its error."""
    ratios, errors = [], []
    for degree, units in m.every(run):
        found, expected = run(m.lengths, degree, units), theory_of(degree, units)
        drawn = isinstance(expected, m.Lengths)
        ratios.append(found.half / (expected.half[0] if drawn else expected))
        errors.append(np.hypot(found.log_error, expected.log_error if drawn else 0))
    half, low, high = np.array(ratios).T
    at = int(np.argmax(np.abs(np.log(half))))
    degree, units = m.every(run)[at]
    name = "the exponential" if degree is None else f"degree {degree}"
    note = (
        f"It is with {units} units and {name}. Ratios lie between {half.min():.2f} and "
        f"{half.max():.2f}. Of {len(half)} bands {np.sum((low <= 1) & (high >= 1))} contain theory."
    )
    size = float(np.exp(np.abs(np.log(half[at]))))
    return Evidence(size, note, error=size * float(errors[at]))


@claim(paper="1 for N → ∞", source=PAPER + "Eq. 9; 0.9 asked here", least=0.9)
def whole_sequences_are_held(run):
    """Degrees 1 to 4, 10 to 100 units: share of sequences of length P_S without any error"""
    shares, notes = [], []
    for degree in (1, 2, 3, 4):
        for units in m.affordable(run, degree):
            predicted = theory.sequence_capacity(units, degree)
            shares.append(run(m.lengths, degree, units, True).right(predicted))
        notes.append(f"Degree {degree} has up to {units} units.")
    notes.append(f"The least share is {np.mean(shares, axis=1).min():.2f}.")
    notes.append("Longer ones are not checked, as all steps take the square of the length.")
    return Evidence(np.mean(shares, axis=0), " ".join(notes))


@claim(paper="1 for N → ∞", source=PAPER + "Sec. 2.3; factor 1.5 asked here", least=2 / 3, most=1.5)
def one_step_and_all_steps(run):
    """Degrees 1 to 4: length for half the steps over that for half the sequences, over n + 1"""
    ratios, errors, notes = [], [], []
    for degree in (1, 2, 3, 4):
        found = {n: run(m.lengths, degree, n, True) for n in m.affordable(run, degree)}
        units = max(n for n, x in found.items() if x.half[1] > 0 and np.isfinite(x.half).all())
        each, every = run(m.lengths, degree, units), found[units]
        ratio = each.half[0] / every.half[0]
        ratios.append(ratio / (degree + 1))
        errors.append(np.hypot(each.log_error, every.log_error))
        notes.append(f"It is {ratio:.2f} for degree {degree} and {units} units.")
    at = int(np.argmax(np.abs(np.log(ratios))))
    return Evidence(ratios[at], " ".join(notes), error=ratios[at] * float(errors[at]))


@claim(paper="large deviation", source=PAPER + "Fig. 2C; bound asked here", most=0.05)
def normal_noise_overshoots(run):
    """Exponential, 15 units: share of sequences of length P_S = 628 without any error"""
    found = run(m.lengths, None, m.LARGE, True)
    units = np.arange(10, 120)
    kurtosis = theory.sequence_kurtosis(theory.sequence_capacity(units), units)
    note = (
        f"Half the sequences are held up to {found.half[0]:.0f}. At P_S the excess kurtosis of the "
        f"noise is largest at N = {units[np.argmax(kurtosis)]}, {float(np.max(kurtosis)):.0f}."
    )
    return Evidence(found.right(theory.sequence_capacity(m.LARGE)), note)


@claim(paper="–", source="exact law of the noise; 0.1 asked here", least=0.9, most=1.1)
def errors_follow_the_exact_law(run):
    """Exponential, 15 units, 628 patterns: units that are wrong over those of the exact law"""
    found = run(m.lengths, None, m.LARGE, True)
    at = found.at(theory.sequence_capacity(m.LARGE))
    share, normal = (
        float(theory.sequence_flip_probability(found.scan.sizes[at], m.LARGE, exact=exact))
        for exact in (True, False)
    )
    note = f"The law has a share of {share:.4f}, normal noise one of {normal:.1e}."
    return Evidence(found.wrong[at] / share, note)


@claim(paper="–", source="chance of equal patterns; √2 asked here", most=2**0.5)
def equal_patterns_limit_sequences(run):
    """Exponential, 5 to 25 units: factor by which whole sequences grow with each unit"""
    units = m.UNITS[None][run.profile]
    found = [run(m.lengths, None, n, True) for n in units]
    ratio = np.exp(np.log(found[-1].half[0] / found[0].half[0]) / (units[-1] - units[0]))
    error = np.hypot(found[0].log_error, found[-1].log_error) / (units[-1] - units[0])
    listed = ", ".join(f"{x.half[0]:.0f}" for x in found)
    note = (
        f"With {', '.join(map(str, units))} units half the sequences are held up to {listed}. "
        "Among 1.2·2^(N/2) random patterns two are equal more often than not, so that sequences "
        "cannot grow faster than √2 = 1.414. Eq. 10 has 1.964 and leaves out what is rare."
    )
    return Evidence(float(ratio), note, error=float(ratio * error))


@claim(paper="robust", source=PAPER + "Fig. 3B, App. E", least=1)
def pseudo_inverse_takes_bias(run):
    """60 units, 40 patterns, 90 % of units +1, whitened, degrees 1 to 3: least share right"""
    found = [run(m.correlated, degree) for degree in (1, 2, 3)]
    plain = np.mean([x.plain for x in found])
    note = f"Without whitening {plain:.2f} of units are right, as many as guesses of +1."
    return Evidence(min(x.whitened.min() for x in found), note)


@claim(paper="–", source="asked here; the paper has MovingMNIST", least=1)
def exponential_memory_recalls_images(run):
    """Images of Fashion-MNIST, binarised, in one sequence: share of steps without error"""
    degrees = run.pick("transitions.degrees", quick=(3, 30), full=(3, 10, 20, 30, 50, 70))
    listed = ", ".join(
        f"{run(m.transitions, degree):.3f} for degree {degree}" for degree in degrees
    )
    return Evidence(run(m.transitions, None), f"It is {listed}.")


@claim(paper="–", source="asked here, from distances of images", least=-0.05, most=0.05)
def cues_are_repaired(run):
    """The same, 30 % of the cue's pixels flipped: replays of 100 steps, share less that expected"""
    found = run(m.strip)
    note = (
        f"{found.good.mean():.3f} come back, {found.expected_share.mean():.3f} are expected: a cue "
        "is taken for another image that differs in h pixels if at least half of these are flipped."
    )
    return Evidence(found.good - found.expected_share, note)


@claim(paper="order and timing", source=PAPER + "Fig. 4A; bound asked here", least=0.99)
def steep_networks_keep_time(run):
    """Mixed, degree 10, window of six states: share of states that are the pattern of the time"""
    return run(m.dwells, 10).timed


@claim(paper="order only", source=PAPER + "Fig. 4A; bound asked here", most=0.5)
def quadratic_networks_do_not(run):
    """The same, degree 2"""
    linear, square = run(m.dwells, 1), run(m.dwells, 2)
    note = (
        f"The order is right in {square.ordered.mean():.0%} of draws, and for degree 1 in "
        f"{linear.ordered.mean():.0%}."
    )
    return Evidence(square.timed, note)


@claim(paper="–", source="asked here", most=0.1)
def recordings_are_replayed(run):
    """EEG, 793 windows, cues with noise of half a deviation: error of 100 samples, in deviations"""
    found = run(m.replayed)
    return Evidence(found, f"Of {len(found)} cues {np.mean(found < 0.1):.1%} have less than 0.1.")
