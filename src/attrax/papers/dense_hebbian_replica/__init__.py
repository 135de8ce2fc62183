"""Dense Hebbian networks: archetypes from noisy examples, and the replica theory of both teachers.

Units in groups of P, with couplings that are made of M noisy examples of each of K archetypes. With
a teacher the examples of a class are averaged before products are taken, without one after it.
Energies are of groups of different units, by Newton's identities. What the figures of the papers
print was not at hand: bounds and settings are asked here, and the equations derived anew.

**Source:** [agliari2023supervised], [agliari2023unsupervised]
"""

from attrax import theory

from ..contract import Evidence, claim
from . import measure as m

ASKED = "asked here; "


@claim(paper="–", source=ASKED + "32 ε of double", most=7.2e-15)
def energies_are_of_all_groups(run):
    """P = 2, 3, 4, 6, with and without teacher: energies and gaps, error against enumeration"""
    return run(m.enumeration)


@claim(paper="–", source=ASKED + "all 1024 states", least=-0.06, most=0.06)
def monte_carlo_samples_all_states(run):
    """P = 4, 10 units: mean energy of samples less that of all states, in standard deviations"""
    return run(m.sampled)


def first_steps(name):
    """The overlap after a step from an archetype, extrapolated, less that of theory."""
    network = m.STEPS[name]
    who = "with" if network.teacher else "without"
    text = (
        f"P = 4, r = {network.quality:g}, M = {network.examples}, α = {network.load:g}, {who} "
        "teacher: overlap after one step, N → ∞, less that of theory"
    )

    @claim(text, paper="–", source=ASKED + "theory derived here", least=-0.05, most=0.05)
    def step(run):
        sized = run(m.first_step, name)
        limit, error = sized.limit()
        law = float(
            theory.dense_hebbian_first_step(network.noise_load, network.degree, network.entropy)
        )
        listed = ", ".join(f"{x:.3f}" for x in sized.means)
        sizes = ", ".join(map(str, sized.sizes))
        note = f"It is {listed} at N = {sizes} and {law:.3f} in theory."
        return Evidence(float(limit) - law, note, error=float(error))

    return step


one_step = {name: first_steps(name) for name in m.STEPS}


def heated(which, text):
    """An order parameter of few archetypes while it gets warmer."""

    @claim(
        f"P = 4, ρ = 0.1, 4 archetypes, T ≤ 0.05: {text}, N → ∞, less that of theory, on average",
        paper="–",
        source=ASKED + "theory derived here",
        least=-0.02,
        most=0.02,
    )
    def order(run):
        limit, error = (x[which, :5] for x in run(m.heated).limit())
        law = [a[:5] for a in m.expected(m.FEW, m.TEMPERATURES)][which]
        listed = ", ".join(f"{a:.3f} ({b:.3f})" for a, b in zip(limit, law, strict=True))
        note = f"At T = 0.01 to 0.05 it is {listed} measured (and in theory)."
        # The same chains are heated, so errors of temperatures go together.
        return Evidence(float((limit - law).mean()), note, error=float(error.mean()))

    return order


few = {"m": heated(0, "overlap m"), "z": heated(1, "overlap z with examples")}


def magnetised(network, temperature, bound):
    """The overlap with one of many archetypes at a temperature, extrapolated."""
    who = "with" if network.teacher else "without"
    text = (
        f"P = {network.degree}, r = {network.quality:.3g}, M = {network.examples}, "
        f"α = {network.load:g}, T = {temperature:g}, {who} teacher: overlap m of chains that "
        "stay, N → ∞, less that of theory"
    )

    @claim(text, paper="–", source=ASKED + "theory derived here", least=-bound, most=bound)
    def overlap(run):
        sized = run(m.magnetised, network, temperature)
        limit, error = (x[0] for x in sized.limit())
        law = float(m.expected(network, temperature).overlap)
        listed = ", ".join(f"{x:.3f}" for x in sized.means[:, 0])
        sizes = ", ".join(map(str, sized.sizes))
        note = f"It is {listed} at N = {sizes}, {limit:.3f} in the limit and {law:.3f} in theory."
        if not network.teacher:
            taught = float(m.expected(network._replace(teacher=True), temperature).overlap)
            note += f" With a teacher theory has {taught:.3f}."
        return Evidence(float(limit) - law, note, error=float(error))

    return overlap


many = {
    "loaded": magnetised(m.LOADED, 0.02, 0.04),
    "taught": magnetised(m.TAUGHT, 0.1, 0.04),
    "alone": magnetised(m.ALONE, 0.1, 0.04),
}


@claim(paper="–", source=ASKED + "P = 2 would hold 0.138 N", least=0.95)
def ultra_storage(run):
    """P = 4, N = 32, K = 0.02 N³ = 20 N perfect archetypes: overlap at rest, started there"""
    overlaps = run(m.at_rest, 32)
    note = (
        f"The overlap falls to {overlaps[:, -1].mean():.2f} at α = {m.LOADS[-1]:g}. Replica "
        "symmetry has its end at α = 0.033 for N → ∞."
    )
    return Evidence(overlaps[:, m.LOADS.index(0.02)], note)


@claim(paper="–", source=ASKED + "α far beyond 0.033", most=0.8)
def storage_ends(run):
    """The same with K = 0.12 N³"""
    return run(m.at_rest, 32)[:, -1]


@claim(paper="–", source=ASKED + "no state should", least=0.9)
def repeated_units_hold_any_state(run):
    """N = 32, K = 0.2 N³: random state's overlap with its next, of slopes of x⁴ less of groups"""
    overlaps = run(m.repeated, 0.2)
    note = (
        f"By groups of different units it is {overlaps[:, 0, 1].mean():.2f}. Products in which "
        "units repeat add up to a constant field along any state."
    )
    return Evidence(overlaps[:, 2, 1] - overlaps[:, 0, 1], note)


@claim(paper="–", source=ASKED + "(2P − 3)!!/(P − 1)! = 2.5 times as much variance", least=2.5)
def groups_bear_less_noise(run):
    """N = 32, K = 0.03 N³, a step from an archetype: wrong units of x⁴ over those of groups"""
    overlaps = run(m.repeated, 0.03)
    wrong = (1 - overlaps[:, :2, 0].mean(axis=0)) / 2
    errors = overlaps[:, :2, 0].std(axis=0, ddof=1) / 2 / len(overlaps) ** 0.5
    ratio = wrong[1] / wrong[0]
    note = (
        f"They are {wrong[1]:.3f} of a `dense_memory`, which leaves out the self-term alone, and "
        f"{wrong[0]:.3f}."
    )
    return Evidence(ratio, note, error=ratio * float(sum((errors / wrong) ** 2)) ** 0.5)


@claim(paper="–", source=ASKED + "the papers try MNIST and Fashion-MNIST", least=0.5)
def pictures_come_back(run):
    """Fashion-MNIST, 10 classes, 30 % flipped: share of means restored, P = 4 less P = 2"""
    two, four = (run(m.pictures, degree)[m.NOISE.index(0.3)] for degree in (2, 4))
    single = run(m.pictures, 4, "examples")[0].mean()
    note = (
        f"Shares are {four.mean():.2f} and {two.mean():.2f}. Where single images are cut at the "
        f"medians, and their means stored, {single:.2f} come back: classes differ in quality, so "
        "that the energy has other minima."
    )
    return Evidence(four - two, note)
