"""Sparse distributed memory and attention: circles in common, and the exponential near to them.

Patterns of bits are written into the counters of all hard locations within a radius d, and read
from those within d of a query. A pattern so weighs what both circles have in common, which falls
nearly exponentially with its distance: a softmax of cosines, at a β that follows from d.

**Source:** [bricken2021attention], [kanerva1988sparse]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Bricken and Pehlevan (2021), "


@claim(paper="exact", source=PAPER + "Eq. 2; 32 ε of double", most=7.2e-15)
def circles_are_counted(run):
    """n = 6 to 15, all radii: circles in common, relative error against counts of all addresses"""
    return run(m.counted)


@claim(paper="agree", source=PAPER + "Fig. 11; bounds asked here", least=0.95, most=1.05)
def locations_are_in_common(run):
    """n = 100, r = 10⁴, d = 35: drawn locations in common, over those expected"""
    sampled = run(m.sampled)
    means, places = sampled.counts.mean(0), (0, 5, 10)
    listed = ", ".join(f"{means[i]:.2f} ({sampled.expected[i]:.2f})" for i in places)
    note = f"At δ = 0, 10 and 20 there are {listed} on average (and expected)."
    return Evidence(sampled.ratio(), note)


@claim(paper="exact", source=PAPER + "Sec. 1.1", most=0)
def reads_are_sums_over_patterns(run):
    """Counters read, less votes of patterns weighed by locations in common: largest difference"""
    return run(m.disagreement)


def best_radii(setting, printed):
    """Radii of a setting, by the three criteria."""
    n, _, patterns = {"canonical": m.CANONICAL, "attention": m.ATTENTION}[setting]
    size = "2⁶⁴" if setting == "attention" else "10⁶"
    text = (
        f"n = {n}, r = {size}, m = {patterns}: best radii for signal to noise, capacity and "
        "critical distance, largest difference from the paper's in bits"
    )

    @claim(text, paper=", ".join(map(str, printed)), source=PAPER + "Table 1", most=0)
    def radii(run):
        found = run(m.radii, setting)
        note = f"They are {found[0]}, {found[1]} and {found[2]}."
        return Evidence(max(abs(a - b) for a, b in zip(found, printed, strict=True)), note)

    return radii


radii = [best_radii("canonical", (447, 444, 448)), best_radii("attention", (11, 5, 15))]


@claim(paper="35.5", source=PAPER + "Fig. 7", least=35.45, most=35.55)
def fitted_beta(run):
    """n = 64, d = 5: slope of ln I by the cosine, β"""
    fits = {d: run(m.fit, d) for d in (5, 11, 15)}
    listed = ", ".join(
        f"{fit.beta:.2f} at d = {d} (R² {fit.r_squared:.2f})" for d, fit in fits.items()
    )
    note = (
        f"Least squares give {listed}. The code of the paper divides a covariance over k − 1 by a "
        "variance over k, for k = d distances, so that its slopes are k/(k − 1) times as large."
    )
    theirs = run(m.fit, 5, "sample_covariance").beta
    return Evidence(fits[5].beta, note, intervention=theirs)


def within_reach(radius):
    """Shares of patterns that come back by circles and by attention."""
    text = (
        f"n = 64, m = 1024, d = {radius}: share recalled by circles less that by attention at the "
        "fitted β, largest up to d flips"
    )

    @claim(text, paper="agree", source=PAPER + "App. B.7; bound asked here", least=-0.05, most=0.05)
    def alike(run):
        recall = run(m.recall, radius)
        far, wide = recall.apart("attention", 64), recall.apart("wide", 64)
        note = (
            f"Beyond d flips they part, by up to {far.mean():.2f}: ln I falls more steeply beyond "
            "d than below. A line through all distances at which circles meet has a larger β, at "
            f"which the largest difference is {recall.apart('wide', radius).mean():.3f} up to d "
            f"flips and {wide.mean():.2f} beyond."
        )
        return Evidence(
            recall.apart("attention", radius), note, intervention=recall.apart("wide", radius)
        )

    return alike


alike = {d: within_reach(d) for d in (11, 15)}


@claim(paper="–", source="asked here; circles of radius 5 meet up to 10 flips", least=0.9)
def attention_reaches_further(run):
    """n = 64, m = 1024, d = 5, 12 flips: share recalled by attention less that by circles"""
    recall = run(m.recall, 5)
    at = m.FLIPS.index(12)
    return recall.attention[:, at] - recall.circles[:, at]


@claim(paper="–", source="asked here; p = (2mr)^(−1/3)", least=-0.05)
def best_radius_recalls(run):
    """n = 256, r = 2000, m = 50: share recalled at the best radius of theory, less that of any"""
    neurons = run(m.neurons)
    means = neurons.shares.mean((0, 2))
    first = int(neurons.radii[means.argmax()])
    note = f"Theory says d = {neurons.best}, and d = {first} recalls {means.max():.2f}, the most."
    return Evidence(neurons.at(neurons.best) - neurons.at(first), note)


@claim(paper="–", source="asked here", most=0.5)
def radius_is_sharp(run):
    """The same, three bits beyond the best radius: share recalled, over that at the best"""
    neurons = run(m.neurons)
    return neurons.at(neurons.best + 3) / neurons.at(neurons.best).mean()


def critical(text, measure, auto, **declared):
    """Where a read no longer brings a query nearer, over theory."""
    what = "patterns themselves" if auto else "random values"

    @claim(f"{text}, {what} read: critical distance over theory", paper="–", **declared)
    def distance(run):
        ratio, random = run(measure, auto).crossing(), run(measure, False).crossing()
        if not auto:
            return Evidence(ratio, f"In theory it is {run(measure, False).critical} bits.")
        note = (
            "Locations near a query are like it, and so are the patterns that were written there, "
            "beside the one that is asked for: they vote for the bits of the query, most of which "
            "are right. The theory leaves that out. Where values are random, it does not occur."
        )
        return Evidence(ratio, note, intervention=random)

    return distance


ASKED = {"source": "asked here; theory of Kanerva (1988)", "least": 0.95, "most": 1.05}
critical_distances = [
    critical("n = 256, r = 20 000, m = 200", m.scaled, False, **ASKED),
    critical("n = 256, r = 20 000, m = 200", m.scaled, True, **ASKED),
    critical("n = 1000, r = 10⁶, m = 10⁴", m.canonical, False, **ASKED),
]


@claim(paper="–", source="asked here; 32 ε", most=3.9e-6)
def energy_falls(run):
    """n = 64, d = 15: votes by circles, largest rise of the energy over the largest energy"""
    return m.largest_rise(run(m.descents))


@claim(paper="3 to 71, mostly 3 to 12", source=PAPER + "App. A.2", least=3, most=71)
def attention_of_gpt2(run):
    """GPT-2, small and large: effective β of its heads"""
    raise NotRun("needs the weights of GPT-2, which are not part of attrax: there is no command")
