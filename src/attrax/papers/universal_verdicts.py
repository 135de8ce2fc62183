"""The verdicts on the claims of Universal Hopfield Networks, with the reasons measured."""

from collections.abc import Sequence

import jax
import numpy as np

from .. import data as datasets
from ..separation import ScoreNormalised, Softmax
from . import universal_experiments as ux
from . import universal_measures as um
from .judged import Claim, Result


def judge(
    declared: Sequence[Claim], panels, loaded, sizes: ux.Profile, key: jax.Array, seed: int
) -> list[Result]:
    """The verdict on each claim of `universal_hopfield.CLAIMS`, in their order."""
    claims = iter(declared)
    instances = um.instances(key)
    worst = max(instances, key=lambda name: instances[name])
    rises = {
        name: um.lyapunov_rise(similarity, separation, key)
        for name, (similarity, separation) in um.SMOOTH.items()
    }
    return [
        next(claims).judge([max(instances.values())], note=f"Largest for: {worst}."),
        next(claims).judge(
            [max(rises.values())],
            note="; ".join(f"{name} {rise:.1e}" for name, rise in rises.items()) + ".",
        ),
        *_similarities(claims, panels, loaded, sizes, key),
        *_separations(claims, panels, loaded, sizes, key, seed),
        *_associations(claims, panels, loaded, sizes, key),
        _natural(next(claims), panels, loaded),
    ]


def _rates(panel: ux.Experiment, names, keep=lambda x: True, limit: int = 0) -> np.ndarray:
    """Retrieval rates by run: the mean over the named curves and the points kept."""
    points = [i for i, x in enumerate(panel.x) if keep(x)]
    return np.mean(
        [
            np.asarray(panel.curves[name].fraction, np.float64)[:, points, limit].mean(1)
            for name in names
        ],
        axis=0,
    )


_DISTANCES, _DOT, _KL = ("euclidean", "manhattan"), ("dot",), ("kl", "reverse_kl")


def _similarities(claims, panels, loaded, sizes, key) -> list[Result]:
    noise, masks, plain = panels["noise"], panels["masking"], panels["plain noise"]

    def mild(names):
        # Runs of the two experiments are other images; the spread is over their numbers.
        by_noise = _rates(noise, names, lambda x: x <= 0.3)
        by_mask = _rates(masks, names, lambda x: x <= 0.4)
        runs = min(len(by_noise), len(by_mask))
        return 0.5 * (by_noise[:runs] + by_mask[:runs])

    def apart(panel, one, other, keep=lambda x: True):
        return _rates(panel, one, keep) - _rates(panel, other, keep)

    unfolded = apart(plain, _DISTANCES, _DOT, lambda x: x >= 0.5).mean()
    norms = [_rates(panels["corrected"], _DOT, lambda x: x >= 0.5).mean()]
    norms.append(_rates(noise, _DOT, lambda x: x >= 0.5).mean())
    known = np.asarray(datasets.known_rows(0.5, loaded.shape))
    hidden = um.hidden_share(loaded.x[: sizes.masking], known)
    rank = um.distance_rank(loaded.x[: sizes.noise], ux.folded_noise, 0.2, key)
    gentle = lambda x: x <= 0.2  # noqa: E731
    true = _rates(panels["corrected"], ("jensen_shannon",), gentle)
    coded = _rates(noise, ("jensen_shannon",), gentle)
    return [
        next(claims).judge(mild(_DISTANCES) - mild(_DOT)),
        next(claims).judge(
            apart(panels["similarity"], _DISTANCES, _DOT),
            explained=bool(unfolded > 0),
            note="Reversed by the form of the noise, clip(|x + σε|, 0, 1): folding brightens every "
            "black pixel, which moves distances and hardly a dot product of rows divided by their "
            f"sums. With x + σε and σ ≥ 0.5 the margin of the distances is {unfolded:+.2f}.",
        ),
        next(claims).judge(
            apart(noise, _DOT, ("manhattan",), lambda x: x >= 0.5),
            note="Holds for rows divided by their sums only: they retrieve "
            f"{norms[1]:.2f}, the plain dot product {norms[0]:.2f}.",
        ),
        next(claims).judge(apart(masks, ("manhattan",), _DOT)),
        next(claims).judge(apart(noise, ux.THREE, _KL, lambda x: x >= 0.2)),
        next(claims).judge(
            apart(masks, ux.THREE, _KL),
            explained=hidden["reverse_kl"] < 1e-3 < hidden["kl"],
            note="Reversed: a masked entry q = 0 adds nothing to Σ q ln(q/k), so reverse KL "
            f"compares known entries alone ({hidden['reverse_kl']:.0%} of its terms are masked "
            f"ones, {hidden['kl']:.0%} of KL's), and retrieves "
            f"{_rates(masks, ('reverse_kl',)).mean():.2f}; Manhattan "
            f"{_rates(masks, ('manhattan',)).mean():.2f}.",
        ),
        next(claims).judge(
            _rates(noise, _KL, gentle) - true,
            explained=bool(rank > 0.5 and true.mean() > coded.mean()),
            note="The published curve is that of an inverted score, the harmonic mean of two "
            f"distances: the memory it chooses is more distant than {rank:.0%} of the others. As "
            f"coded it retrieves {coded.mean():.2f}, corrected {true.mean():.2f}.",
        ),
    ]


def _separations(claims, panels, loaded, sizes, key, seed) -> list[Result]:
    panel, size = panels["separation"], max(sizes.separation)
    largest = lambda x: x == size  # noqa: E731
    sharp, flat = ("tenth", "max"), ("identity",)
    loose = _rates(panel, sharp, largest) - _rates(panel, flat, largest)
    strict = _rates(panel, sharp, largest, 1) - _rates(panel, flat, largest, 1)
    mean = float(np.asarray(panel.curves["max"].baseline)[:, -1, 0].mean())
    soft, top = (_rates(panel, (name,), largest, 1) for name in ("softmax", "max"))
    rows = ux.runs_of(loaded.x, size, sizes.runs)
    hotter = ux.capacity_sweep(
        rows,
        (size,),
        similarity=ux.SIMILARITIES["manhattan"],
        separation=ScoreNormalised(Softmax(1000.0 * size)),
        corrupt=ux.hide,
        level=datasets.known_rows(0.5, loaded.shape),
        thresholds=(ux.STRICT,),
        key=key,
    )
    restored = float(np.asarray(hotter.fraction).mean())
    gains = _gains(loaded, sizes, key, seed)
    growth = np.diff([gain for gain, _, _ in gains.values()])
    return [
        next(claims).judge(
            loose,
            explained=bool(mean > 0.25 and strict.mean() > loose.mean()),
            note=f"Not visible at this threshold at N = {size}: the mean image alone retrieves "
            f"{mean:.2f}, so a blurred mixture passes. At T = 10 the margin is "
            f"{strict.mean():+.2f}.",
        ),
        next(claims).judge(strict),
        next(claims).judge(
            soft - top,
            explained=bool(restored > soft.mean() + 0.5 * (top.mean() - soft.mean())),
            note=f"Scores are divided by their sum, so β = 1000 is {1000 / size:.0f} relative to "
            f"the mean score at N = {size}: softmax retrieves {soft.mean():.2f}, max "
            f"{top.mean():.2f}. With β = 1000 N softmax retrieves {restored:.2f}.",
        ),
        next(claims).judge(
            [growth.min()] if len(growth) else [np.nan],
            explained=all(
                abs(gain - exact) < 0.1 and flat < 0.1 for gain, exact, flat in gains.values()
            )
            and len(growth) > 0,
            note="Gain of max over identity at T = 10 (scaled by pixels): "
            + ", ".join(
                f"{name} {gain:.2f} (exact row {exact:.2f}, identity {flat:.2f})"
                for name, (gain, exact, flat) in gains.items()
            )
            + ". Identity retrieves next to nothing of any set, so the gain is the share of "
            "memories whose own row scores best: it follows the similarity, and falls where "
            "images are alike.",
        ),
    ]


def _gains(loaded, sizes, key, seed) -> dict[str, tuple[float, float, float]]:
    """Max minus identity, exact row and identity at a strict threshold, by set of images."""
    side = min(8, loaded.shape[-1])
    sets = {}
    if datasets.available()["digits"]:
        digits = datasets.load("digits")
        sets["digits"] = (digits.x, digits.shape)
    sets[loaded.name] = (loaded.x, loaded.shape)
    cut = um.patches(loaded.x, loaded.shape, side, seed)
    sets[f"patches of {side} × {side}"] = (cut, (*loaded.shape[:-2], side, side))
    gains = {}
    for name, (images, shape) in sets.items():
        rows = ux.runs_of(images, sizes.noise, sizes.runs)
        sharp, flat = ux.separation_sweeps(
            rows,
            (rows.shape[1],),
            similarity=ux.SIMILARITIES["manhattan"],
            separations=(ux.SEPARATIONS["max"], ux.SEPARATIONS["identity"]),
            corrupt=ux.hide,
            level=datasets.known_rows(0.5, shape),
            thresholds=(ux.STRICT * rows.shape[2] / 784,),
            key=key,
        )
        high, low = float(sharp.fraction.mean()), float(flat.fraction.mean())
        gains[name] = (high - low, float(sharp.exact.mean()), low)
    return gains


def _associations(claims, panels, loaded, sizes, key) -> list[Result]:
    modern = panels["association"].curves
    bottom = np.asarray(datasets.known_rows(0.5, loaded.shape, top=True))
    share = float((loaded.x[:, bottom] ** 2).sum() / (loaded.x**2).sum())
    matched = ux.association(
        loaded.x, loaded.shape, sizes, key, limits=(ux.THRESHOLD, ux.THRESHOLD * share)
    ).curves
    gap = np.asarray(modern["hetero"].fraction - modern["auto"].fraction, np.float64)
    gap = gap[:, :, 0].mean(1)
    fair = np.asarray(matched["hetero"].fraction[:, :, 1] - modern["auto"].fraction[:, :, 0])
    mean_half = float(np.asarray(modern["hetero"].baseline)[:, -1, 0].mean())
    rows_differ = float(np.abs(np.asarray(modern["hetero"].exact - modern["auto"].exact)).max())
    few = lambda x: x <= 5  # noqa: E731
    folded, plain = (
        _rates(panels[name], ("auto",), few) for name in ("classical", "classical, plain")
    )
    queries = ux.runs_of(loaded.x, max(sizes.classical), 1)[0]
    keys = jax.random.split(key, len(queries))
    damaged = jax.vmap(lambda row, key: ux.bipolar_noise(ux.bipolar(row), 1e-7, key=key))(
        queries, keys
    )
    distinct = len(np.unique(np.asarray(damaged), axis=0))
    return [
        next(claims).judge(
            gap,
            explained=bool(rows_differ == 0 and abs(fair.mean()) < abs(gap.mean())),
            note="The gap belongs to the threshold: half of what is read is zero, so its squared "
            "error is a fraction of the whole image's. The same row is chosen for every query "
            f"(exact-row rates differ by {rows_differ:g}), and with T = 60 × {share:.2f}, the "
            f"share of the images' squared norm, the gap is {fair.mean():+.2f}. At T = 60 the mean "
            f"half image alone retrieves {mean_half:.2f}.",
        ),
        next(claims).judge(
            folded,
            explained=bool(distinct == 1 and plain.mean() > folded.mean()),
            note="Folded noise, |x + σε|, turns every −1 of a ±1 image into +1: the "
            f"{len(queries)} queries have {distinct} distinct value{'s' if distinct > 1 else ''}, "
            f"so nothing can be found by them. Without folding {plain.mean():.2f} are retrieved.",
        ),
    ]


def _natural(claim: Claim, panels, loaded) -> Result:
    if loaded.name not in ("cifar-10", "tiny-imagenet"):
        return claim.not_run(
            "Needs CIFAR-10 or Tiny ImageNet in $ATTRAX_DATA: "
            "`attrax reproduce universal-hopfield --profile full --data cifar-10`, "
            "or `--data tiny-imagenet`."
        )
    panel = panels["similarity"]
    return claim.judge(_rates(panel, _DISTANCES) - _rates(panel, _DOT))
