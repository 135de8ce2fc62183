"""Energy landscapes.

Six points of the plane are stored in memories of many kinds, and each memory is drawn: its energy,
the attractors that states come to rest at, and the paths of some states. The table says how many
attractors there are, and how many of them are mixtures of several rows.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import attrax
from attrax import models, plot
from attrax.dynamics import Flow
from attrax.separation import (
    Entmax,
    Exponential,
    GhostSoftmax,
    LogSumReLU,
    Max,
    Power,
    Softmax,
    Threshold,
    TopK,
)
from attrax.similarity import Dot, Euclidean, Manhattan

attrax.enable_compilation_cache()  # the next run starts faster

rows = np.array(
    [[-0.95, 0.3], [-0.6, 0.75], [0.2, 0.95], [0.9, 0.15], [0.55, -0.75], [-0.35, -0.3]]
)
directions = rows / np.linalg.norm(rows, axis=1, keepdims=True)


def of_rows(similarity, separation, projection=None):
    """A memory of the six rows."""
    return attrax.Memory(rows, similarity=similarity, separation=separation, projection=projection)


# A memory has a name, which is that of its picture, and a title. One more line makes one more
# picture, of anything with two numbers a state and an energy.

memories = {
    "softmax_1": ("softmax, β = 1", of_rows(Dot(), Softmax(1.0))),
    "softmax_4": ("softmax, β = 4", of_rows(Dot(), Softmax(4.0))),
    "softmax_20": ("softmax, β = 20", of_rows(Dot(), Softmax(20.0))),
    "softmax_100": ("softmax, β = 100", of_rows(Dot(), Softmax(100.0))),
    "euclidean": ("Euclidean softmax, β = 8", of_rows(Euclidean(), Softmax(8.0))),
    "exponential": (
        "Euclidean exponential, β = 8",
        of_rows(Euclidean(), Exponential(8.0), "centroid"),
    ),
    "ghost": ("ghost softmax, β = 8", of_rows(Euclidean(), GhostSoftmax(8.0), "centroid")),
    "entmax": ("entmax, α = 1.5, β = 8", of_rows(Euclidean(), Entmax(1.5, 8.0))),
    "sparsemax": ("sparsemax, β = 8", of_rows(Euclidean(), Entmax(2.0, 8.0))),
    "top": ("the best two, β = 8", of_rows(Euclidean(), TopK(2, Softmax(8.0)))),
    "max": ("the best one", of_rows(Euclidean(), Max())),
    "threshold": ("threshold, θ = −0.11", of_rows(Euclidean(), Threshold(-0.11), "centroid")),
    "compact": ("log-sum-ReLU, β = 9", of_rows(Euclidean(), LogSumReLU(9.0))),
    "manhattan": ("Manhattan softmax, β = 6", of_rows(Manhattan(), Softmax(6.0), "centroid")),
    "flow": ("network in continuous time, β = 8", of_rows(Euclidean(), Softmax(8.0)).as_network()),
    "sphere": (
        "dense, of degree 7, on a circle",
        models.spherical_memory(directions, Power(6, rectified=True)),
    ),
    "graded": (
        "dense, of degree 3, gain 2",
        models.binary_dense_memory(rows, Power(2, rectified=True), gain=2.0),
    ),
}

# Networks of layers keep no rows, so what is stored is said beside them.

options = {
    "flow": {"patterns": rows, "dynamics": Flow()},
    "sphere": {"patterns": directions},
    "graded": {"patterns": rows, "window": ((-2, 2), (-2, 2)), "dynamics": Flow()},
}

folder = Path("energy_landscapes")
folder.mkdir(exist_ok=True)
print("| memory | attractors | of these mixtures |\n|---|---|---|")
for name, (title, memory) in memories.items():
    figure = Figure(figsize=(4.6, 3.7), layout="constrained")
    ax = plot.landscape(memory, figure.subplots(), **options.get(name, {}))
    ax.set_title(title)
    figure.colorbar(ax.collections[0], label="energy", shrink=0.8)
    figure.savefig(folder / f"{name}.png", dpi=100)
    counts = {each.get_label(): len(each.get_offsets()) for each in ax.collections}
    mixtures = counts.get("mixture", 0)
    print(f"| {title} | {counts.get('attractor', 0) + mixtures} | {mixtures} |")
