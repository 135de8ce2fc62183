"""Which dynamics?

Three networks of 64 visible neurons, each run from 50 random states by every dynamics that it
allows. The table says how many came to rest, in how many steps (the median), and for how many the
energy never rose.
"""

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import attrax
from attrax import dynamics, plot, separation
from attrax.hierarchical import Absolute, DenseSynapse, LateralSynapse, Neurons, Tanh

attrax.enable_compilation_cache()  # the next run starts faster

keys = jax.random.split(jax.random.key(0), 4)
up = DenseSynapse(jax.random.normal(keys[0], (128, 64)) / 8)
top = DenseSynapse(jax.random.normal(keys[1], (32, 128)) / 8)
within = LateralSynapse(jax.random.normal(keys[2], (64, 64)) / 8)
starts = jax.random.normal(keys[3], (50, 64))


networks = {
    "stiff": attrax.HierarchicalMemory(
        {
            "value": Neurons(64, Tanh(2.0)),
            "hidden": Neurons(128, Tanh(), 0.1),
            "top": Neurons(32, separation.Softmax(4.0), 0.001),
        },
        {("value", "hidden"): up, ("hidden", "top"): top},
    ),
    "lateral": attrax.HierarchicalMemory({"value": Neurons(64, Tanh(2.0))}, {"value": within}),
    "binary": attrax.HierarchicalMemory({"value": Neurons(64, Absolute())}, {"value": within}),
}
choices = {
    "Iterate()": dynamics.Iterate(),
    "Coordinates()": dynamics.Coordinates(),
    "Euler(0.1)": dynamics.Euler(0.1, max_steps=300),
    "Euler(1.0, backtracking=True)": dynamics.Euler(1.0, backtracking=True, max_steps=300),
    "Flow()": dynamics.Flow(max_steps=300),
}

# In the stiff network one layer is a thousand times faster than another; in the lateral network the
# neurons of a layer are joined with one another; in the binary network they are signs.

figure = Figure(figsize=(6.4, 3.6), layout="constrained")
ax = figure.subplots()
print("| network and dynamics | at rest | steps | never rose |")
for name, network in networks.items():
    for label, how in choices.items():
        if name in ("lateral", "binary") and label == "Iterate()":
            continue  # `network.lacks_relaxation` says why
        found = attrax.retrieve(network, starts, how, certify=True, path=name == "stiff")
        rest = (found.outcome == attrax.Outcome.converged) | (
            found.outcome == attrax.Outcome.mixture
        )
        counts = [jnp.sum(rest), jnp.median(found.steps), jnp.sum(found.certificate.certified)]
        print(f"| {name}: `{label}` |", " | ".join(str(int(n)) for n in counts), "|")
        if name == "stiff":
            energies = np.asarray(found.energies[0])[: int(found.steps[0]) + 1]
            plot.curves(jnp.arange(len(energies)) + 1, energies, label=label, ax=ax)
            # Layer by layer and neuron by neuron are the same here.
            ax.lines[-1].set(marker="", linestyle="--" if label == "Coordinates()" else "-")
ax.set(xscale="log", xlabel="step + 1", ylabel="energy of the stiff network")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(fontsize="small")
figure.savefig("which_dynamics.png", dpi=110)
