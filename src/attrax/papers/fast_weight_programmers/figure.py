"""Raw memories, trained networks, losses along training, and features."""

import jax
import jax.numpy as jnp
import numpy as np

from attrax.similarity import DPFP

from ..panels import panel
from . import measure as m

_THEORY = "0.35"


@panel(xlabel="pairs of a memory of 64 features", ylabel="½ squared error")
def raw(ax, run):
    """Random unit keys: what rules make of them"""
    counts = (16, 32, 64, 128)
    rows = [run(m.raw, count) for count in counts]
    for i, (name, label) in enumerate(
        (
            ("sums", "sum"),
            ("once", "delta rule, one pass"),
            ("repeated", f"delta rule, {m.PASSES} passes"),
            ("best", "least squares"),
        )
    ):
        means = [getattr(row, name).mean() for row in rows]
        ax.plot(counts, means, f"C{i}o-", ms=4, lw=1, label=label)
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, map(str, counts))
    ax.minorticks_off()


@panel(xlabel="pairs, all of other keys", ylabel="loss", ylim=(-0.01, None))
def capacity(ax, run):
    """Trained networks: how many pairs a sum holds"""
    pairs = np.linspace(1, 140, 280)
    for features, colour in ((64, "C0"), (128, "C1")):
        bound = 0.5 * np.maximum(1 - features / pairs, 0)
        ax.plot(pairs, bound, color=colour, lw=1, ls="--", label=f"½(1 − {features}/pairs)")
    for name, mark, label in (
        ("within", "C0o", "sum, 64 features"),
        ("beyond", "C0o", None),
        ("projected", "C1s", "sum, 128 features"),
        ("softmax", "C2^", "softmax attention"),
    ):
        if run.profile == "quick" and name not in m.QUICK:
            continue
        losses = run(m.trained, name).losses
        ax.plot([m.TASKS[name][2]] * len(losses), losses, mark, ms=5, alpha=0.7, label=label)


@panel(xlabel="step", ylabel="loss, mean of 20 steps", yscale="log")
def changing(ax, run):
    """20 keys, 40 pairs: the last value of a key is asked"""
    for name, label in (("sum", "sum"), ("delta", "delta rule")):
        steps = run(m.trained, name).steps
        means = steps[: len(steps) // 20 * 20].reshape(-1, 20).mean(1)
        ax.plot(20 * np.arange(1, len(means) + 1), means, lw=1.2, label=label)
    ax.axhline(0.5, color=_THEORY, lw=1, ls=":", label="of a prediction of zeros")


@panel(xlabel="angle of (x₁, x₂), degrees", ylabel="feature", ylim=(0, 0.75))
def features(ax, run):
    """DPFP-1 of two entries: each feature has a quadrant"""
    angles = np.linspace(0, 2 * np.pi, 361)
    rows = np.stack([np.cos(angles), np.sin(angles)], 1)
    mapped = np.asarray(jax.vmap(DPFP(1))(jnp.asarray(rows)))
    for i, values in enumerate(mapped.T):
        ax.plot(np.degrees(angles), values, lw=1.2, label=f"feature {i + 1}")
    ax.set_xticks(range(0, 361, 90))
    ax.legend(fontsize=8, ncols=4, loc="upper center", columnspacing=1, handlelength=1)
