"""The information curve and its baselines, overlaps, basins, and images read beyond capacity."""

import numpy as np

from attrax.theory import scaffold_information, scaffold_overlap

from ..panels import panel
from . import measure as m

_THEORY = "0.25"


@panel(xlabel="patterns written", ylabel="bits in all, over $N_H N_F$", ylim=(0, 2.5))
def information(ax, run):
    """Information: scaffold, and 708 units with as many synapses"""
    curves = run(m.curves)
    patterns = np.arange(1, 817)
    ax.plot(patterns, scaffold_information(patterns, m.HIDDEN), color=_THEORY, lw=1, label="theory")
    ax.plot(curves.sizes, curves.bits.mean(0), "C0o", ms=3, label="scaffold")
    for i, (name, label) in enumerate(
        (
            ("PseudoInverse", "pseudo-inverse"),
            ("Hebb", "Hebb"),
            ("BoundedHebb", "bounded at 0.7"),
        ),
        1,
    ):
        found = run(m.baseline, name)
        ax.plot(found.sizes, found.bits.mean(0), f"C{i}.-", ms=4, lw=1, label=label)
    ax.axhline(1, color="0.6", lw=1, ls=":")
    ax.text(0, 1.03, "one bit a readout synapse", fontsize=8, color="0.4")
    ax.legend(fontsize=8, loc="upper left")


@panel(xlabel="patterns written", ylabel="overlap of what is read", ylim=(0, 1.05))
def overlaps(ax, run):
    """Overlap: exact up to 300 = $N_H$, then the law"""
    patterns = np.arange(1, 817)
    ax.plot(patterns, scaffold_overlap(patterns, m.HIDDEN), color=_THEORY, lw=1, label="theory")
    for noise, ridge, mark, label in (
        (0.0, None, "C0o", "clean cues"),
        (0.05, m.FEATURES / 8, "C2^", "5 % flipped, ridge d/8"),
        (0.05, None, "C3v", "5 % flipped, no ridge"),
    ):
        given = () if noise == 0 else (noise,) if ridge is None else (noise, ridge)
        curves = run(m.curves, *given)
        ax.plot(curves.sizes, curves.overlap.mean(0), mark, ms=3.5, label=label)
    hebbian = run(m.hebbian)
    ax.plot(hebbian.sizes, hebbian.scaffold.mean(0), "C4s-", ms=3.5, lw=1, label="Hebb's rule")
    ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 0.5))


@panel(xlabel="share of hidden units flipped", ylabel="labels found", ylim=(-0.03, 1.03))
def basins(ax, run):
    """Basins of the 816 fixed points"""
    found = run(m.scaffolds).found
    shares = run.pick("scaffolds.flips", quick=m.FLIPS, full=m.MORE_FLIPS)
    for row in found:
        ax.plot(shares, row, color="0.75", lw=0.8)
    ax.plot([], [], color="0.75", lw=0.8, label="single scaffolds")
    ax.plot(shares, found.mean(0), "C0o-", ms=4, lw=1, label="their mean")


@panel(bare=True)
def images(ax, run):
    """Images read when so many are written"""
    found = run(m.images)
    rows = [("stored", found.shown)] + [(str(n), found.read[n]) for n in (300, 400, 600, 816)]
    side = int(np.sqrt(found.shown.shape[1]))
    sheet = np.concatenate(
        [np.concatenate(list(np.clip(x, 0, 1).reshape(-1, side, side)), axis=1) for _, x in rows]
    )
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
    ax.set_yticks([side * (i + 0.5) for i in range(len(rows))], [name for name, _ in rows])
    ax.set_xticks([])
    ax.tick_params(length=0, labelsize=9)
