"""Implicit energy-based models: energies that learn from the samples which they give themselves.

Chains of Langevin dynamics run down an energy, starting from where earlier ones ended. The energy
of data is lowered and that of the chains is raised. What was learnt then restores damaged images,
scores strange ones, and adds up with other energies.

**Source:** [du2019implicit]
"""

from typing import Any

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Du and Mordatch (2019), "


@claim(paper="–", source="code of the authors; 64 ε of double", most=1.5e-14)
def steps_are_those_of_the_code(run):
    """30 steps of 50 chains, beside a loop over noise, slope and both limits: largest difference"""
    return run(m.steps)


@claim(paper="equal", source=PAPER + "Sec. 3; 64 ε of double", most=1.5e-14)
def loss_has_the_slope_of_likelihood(run):
    """40 states, samples of the model's density: slope less that of −ln p, largest difference"""
    found = run(m.slopes)
    listed = ", ".join(f"{value:.1e} for {name}" for name, value in found.items())
    return Evidence(max(found.values()), f"It is {listed}, which is given each state once.")


@claim(paper="–", source="asked here; theory", least=0.98, most=1.02)
def variance_of_the_code(run):
    """Noise before the slope, ηk = 1/8 and 1/2: variance over (1 − ηk)²/(1 − ηk/2) · T/k"""
    found, products = run(m.variances), m.STEP * m.CURVATURES
    theory = (1 - products) ** 2 / (1 - products / 2)
    listed = " and ".join(f"{x:.3f}" for x in found.jitter.mean(0))
    note = f"Over T/k they are {listed}: such chains lie deeper than their temperature says."
    return Evidence((found.jitter / theory).mean(1), note)


@claim(paper="–", source="asked here; theory", least=0.98, most=1.02)
def variance_of_the_formula(run):
    """The printed step, slope before noise: variance over T/k/(1 − ηk/2)"""
    found = run(m.variances)
    return (found.plain * (1 - m.STEP * m.CURVATURES / 2)).mean(1)


@claim(paper="–", source="asked here; theory", least=0.98, most=1.02)
def refusals_take_the_bias_away(run):
    """The same steps, accepted or refused by `dynamics.Langevin`: variance over T/k"""
    return run(m.variances).adjusted.mean(1)


@claim(paper="exact", source=PAPER + "Sec. 4; 512 ε of double", most=1.2e-13)
def sums_are_products_of_densities(run):
    """Two Gaussian energies: their sum less the energy of the product, but for a constant"""
    return run(m.product).difference


@claim(paper="–", source="asked here; theory", least=0.98, most=1.02)
def sums_are_sampled(run):
    """Chains down that sum: variances along the axes of the product, over theory"""
    return run(m.product).ratios.mean(1)


@claim(paper="–", source="asked here; spectral norms of 1", most=1.0)
def slopes_are_bounded(run):
    """Networks with weights of three sizes, spectral norms bounded: largest slope over 1.1²"""
    return run(m.largest_slope)


@claim(paper="–", source="asked here", least=0.9)
def memories_learn_by_the_same_loss(run):
    """32 rows and β, eight modes: gain in ln p of new points, over that of exact likelihood"""
    found = run(m.mixtures)
    values = (found.start, found.buffer, found.exact)
    start, buffer, exact = (x.mean() for x in values)
    note = (
        f"ln p of a point is {start:.2f} at the start, {buffer:.2f} after training by samples, "
        f"{exact:.2f} after training by −ln p itself, and {found.truth:.2f} in truth."
    )
    return Evidence((found.buffer - found.start) / (found.exact - found.start), note)


@claim(paper="better", source=PAPER + "Sec. 3; bound asked here", least=0)
def buffers_help(run):
    """The same, chains of 10 steps: ln p of new points, with a replay buffer less without"""
    found = run(m.mixtures)
    note = (
        f"Without, it is {found.noise.mean():.2f}: chains from noise end before they have the "
        "density of the model, and it learns another one to make up for that."
    )
    return Evidence(found.buffer - found.noise, note)


@claim(paper="–", source="asked here", least=0.05)
def modes_are_all_found(run):
    """1000 chains of 1000 steps from noise: least share of a mode, of 1/8"""
    return run(m.mixtures).least


@claim(paper="shown", source=PAPER + "Sec. 4; bound asked here", least=0.9)
def learnt_energies_compose(run):
    """Eight modes and a band across two of them: share of chains of the sum that are in both"""
    return run(m.mixtures).both


def restored(field, damage, better):
    """Errors of restored digits, over those of the damaged ones."""

    @claim(
        f"Digits, {damage}: squared error after chains, over that before",
        paper="shown",
        source=PAPER + "Sec. 4; bound asked here",
        most=1,
    )
    def ratio(run):
        before, after, *free = getattr(run(m.images), field).T
        others = run(m.baselines)
        listed = " and ".join(f"{getattr(others, name):.4f} {what}" for name, what in better)
        note = (
            f"It falls from {before.mean():.4f} to {after.mean():.4f} a pixel. Without any energy "
            f"it is {listed}."
        )
        for error in free:
            note += (
                f" A descent by `Euler` from zeros, without bounds, ends at {error.mean():.4f}: "
                "outside of the data's range the energy has learnt nothing."
            )
        return Evidence(after / before, note)

    return ratio


restoration = {
    "noisy": restored("noisy", "noise of 0.3", [("filtered", "by the best filter of each pixel")]),
    "hidden": restored(
        "hidden",
        "one half hidden",
        [("mean", "by the mean image"), ("nearest", "by the nearest image of training")],
    ),
}


def told_apart(field, text, least):
    """Areas under the ROC curve of energies of strange images."""

    @claim(f"Trained on digits, {text}: area under the ROC curve", least=least, **ASKED)
    def curve(run):
        found = run(m.images)
        note = f"Energies of data less those of samples end at {found.gap.mean():.1e} on average."
        try:
            free = run(m.images, False)
        except NotRun:
            return Evidence(getattr(found, field), note)
        area, error, slope = (
            x.mean() for x in (getattr(free, field), free.noisy[:, 1], free.slope)
        )
        note += (
            f" Without bounds on spectral norms the area is {area:.3f}, the error of noisy digits "
            f"{error:.4f} a pixel instead of {found.noisy[:, 1].mean():.4f}, and the largest slope "
            f"{slope:.3f} instead of {found.slope.mean():.3f}."
        )
        return Evidence(getattr(found, field), note)

    return curve


ASKED: dict[str, Any] = {
    "paper": "–",
    "source": "asked here; stands in for the table of strange data",
}
anomalies = {
    "noise": told_apart("noise", "energies of uniform noise", 0.99),
    "clothes": told_apart("clothes", "energies of clothes", 0.6),
}


@claim(paper="40.58", source=PAPER + "Table 1", most=40.58)
def images_of_cifar(run):
    """CIFAR-10, one model: Fréchet inception distance of its samples"""
    raise NotRun(
        "needs days on accelerators and the weights of an inception network, which are not part of "
        "attrax: there is no command"
    )
