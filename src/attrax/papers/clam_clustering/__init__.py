"""ClAM: clusters by completion of masked rows, whose prototypes are the memories of a dense memory.

Rows whose entries are partly hidden are completed by a few steps of a memory, and the prototypes
follow the slope of the error on what was hidden. A row belongs to the prototype that its state
moves to.

**Source:** [saha2023end]
"""

from ..contract import Evidence, NotRun, claim
from . import measure as m

PAPER = "Saha et al. (2023), "
NAMES = (*m.SETS, "Fashion-MNIST")


@claim(paper="exact", source=PAPER + "Sec. 3; bound asked here", most=1e-10)
def step_is_slope(run):
    """A step over α against −∂E/∂v in double precision: largest relative difference"""
    return run(m.slopes)


@claim(paper="0 (theorem)", source=PAPER + "Sec. 3; 32 ε of double", most=7.2e-15)
def energy_falls(run):
    """600 rows, α = 0.1, 0.5 and 1, 20 steps each: largest rise of the energy over the largest"""
    note = "Of half the rows, half the entries were seen and stayed as they were."
    return Evidence(m.largest_rise(run(m.descents)), note)


@claim(paper="–", source="asked here; a Voronoi cell is convex", least=1)
def labels_become_nearest(run):
    """10 prototypes in 8 dimensions, β = 10⁴: share of rows labelled by their nearest prototype"""
    shares = run(m.nearest)
    listed = ", ".join(f"{s:.3f} at β = {b:g}" for b, s in zip(m.BETAS, shares, strict=True))
    return Evidence(shares[-1], f"The share is {listed}.")


@claim(paper="–", source="asked here; algebra", most=1e-10)
def one_time_constant(run):
    """T steps of α = 1/T: share of the way to a far prototype less 1 − (1 − α)^T, largest"""
    shares = run(m.way)
    worst = max(abs(share - 1 + (1 - 1 / t) ** t) for t, share in shares.items())
    note = f"With the ten steps of the paper's code, a state goes {shares[10]:.1%} of the way."
    return Evidence(worst, note)


@claim(paper="–", source="asked here; Schaeffer et al. (2023) note it", most=1e-10)
def memory_is_a_mixture(run):
    """Weights and β E against posteriors and −ln p of an isotropic mixture: largest difference"""
    found = run(m.mixture)
    note = "The mixture is scikit-learn's. The energies are compared up to their mean difference."
    return Evidence(max(found), note)


def _silhouettes(name):
    """The silhouette beside that of k-means."""
    text = f"{name}, standardised: silhouette less that of k-means with as many starts"

    @claim(text, paper="–", source="asked here; equal to two decimals", least=-0.01)
    def beside(run):
        found = run(m.fashion) if name == "Fashion-MNIST" else run(m.compared, name)
        words = []
        for method in ("ClAM", "k-means"):
            values = [found.of(method, what).mean() for what in ("silhouette", "nmi", "ari")]
            share = found.of(method, "largest").mean()
            words.append(
                f"{method} has silhouette {values[0]:.3f}, NMI {values[1]:.3f}, ARI "
                f"{values[2]:.3f} and {share:.0%} of the rows in its largest cluster"
            )
        bare = found.ahead("ClAM, no masks")
        note = f"{'; '.join(words)}. Without masks the difference is {bare.mean():.3f}."
        return Evidence(found.ahead("ClAM"), note, intervention=bare)

    return beside


silhouettes = {name: _silhouettes(name) for name in NAMES}


@claim(paper="–", source=PAPER + "tables, other sets; most of them", least=0.5)
def rivals_are_no_better(run):
    """Mixture, spectral and Ward on four sets: share of 12 with no higher silhouette"""
    wins, lost = 0, []
    for name in m.SETS:
        found = run(m.compared, name)
        for method in ("mixture", "spectral", "ward"):
            if found.of("ClAM").mean() >= found.of(method).mean():
                wins += 1
            else:
                lost.append(f"{method} on {name}")
    note = f"Higher are {', '.join(lost)}." if lost else "None is higher."
    return Evidence(wins / 12, note)


@claim(paper="–", source="asked here", least=0.9)
def silhouette_rewards_one_large_cluster(run):
    """Breast cancer, linkage of the best silhouette: share of rows in its largest cluster"""
    found = run(m.compared, "breast cancer")
    name = found.best_linkage()
    best, ari = found.of(name).mean(), found.of(name, "ari").mean()
    note = (
        f"It is {name} linkage with silhouette {best:.3f} and ARI {ari:.3f}; ClAM has "
        f"{found.of('ClAM').mean():.3f} and {found.of('ClAM', 'ari').mean():.3f}."
    )
    return Evidence(found.of(name, "largest").mean(), note)


@claim(paper="–", source=PAPER + "ablation, other sets", least=0)
def masks_help(run):
    """Six overlapping blobs in 8 dimensions: silhouette with masks less that without"""
    found = run(m.masks)
    with_masks, without = found.mean(0)
    note = f"It is {with_masks:.3f} with masks of a fifth of the entries and {without:.3f} without."
    return Evidence(found[:, 0] - found[:, 1], note)


@claim(paper="–", source="asked here", least=-0.1)
def unseen_rows_agree(run):
    """Iris, wine, breast cancer: ARI with classes of unseen rows less that of fitted rows"""
    found = run(m.unseen).mean(1)
    note = f"It is {found[:, 1].mean():.3f} for unseen rows and {found[:, 0].mean():.3f} for seen."
    return Evidence(found[:, 1] - found[:, 0], note)


@claim(paper="–", source="asked here; 1/(1 − 0.9¹⁰) = 1.535 ± 10 %", least=1.38, most=1.69)
def prototypes_lie_farther_out(run):
    """Blobs far apart: distance of prototypes from the mean, over that of their clusters' means"""
    note = (
        "States start at the mean and stop after 65 % of the way, so prototypes lie where states "
        "stop at the clusters' means."
    )
    return Evidence(run(m.reach), note)


@claim(paper="up to 60 %", source=PAPER + "abstract", least=0)
def better_on_the_sets_of_the_paper(run):
    """The ten sets of the paper, from Zoo to Fashion-MNIST: silhouette over k-means', less one"""
    raise NotRun(
        "needs Zoo, Yale, GCM, Ecoli, Movement Libras, Mice Protein, USPS, CTG and Segment, which "
        "are not part of attrax, and its grid of 36 settings: there is no command"
    )
