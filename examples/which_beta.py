"""Which separation, and how sharp?

Softmax with inverse temperature β weighs memories by exp(β score). A β that is too small mixes
them; a large β reads only the best one. Here β goes from 3 to 3000 for three sizes of memory, and
the curve says how many of 50 noisy pictures come back, every pixel to within half a grey level.
The vertical lines are the β that `Memory(patterns)` chooses for itself.
"""

import jax
import jax.numpy as jnp
from matplotlib.figure import Figure

import attrax
from attrax import data, plot, separation

attrax.enable_compilation_cache()  # the next run starts faster

x = jnp.asarray(data.load("sample").x)
noise = 0.5 * jax.random.normal(jax.random.key(0), (50, x.shape[1]))
betas = jnp.logspace(0.5, 3.5, 13)


def recalled(stored, how):
    """The share of the first 50 rows that come back from noise."""
    memory = attrax.Memory(stored, separation=how)
    found = attrax.retrieve(memory, stored[:50] + noise[: len(stored)])
    exact = jnp.max(jnp.abs(found.state - stored[:50]), axis=1) <= 0.5 / 255
    return float(jnp.mean(exact))


figure = Figure(figsize=(6.4, 3.6), layout="constrained")
ax = figure.subplots()
for size in (10, 100, 1000):
    shares = [recalled(x[:size], separation.Softmax(beta)) for beta in betas]
    plot.curves(betas, shares, label=f"{size} memories", ax=ax)
    default = attrax.Memory(x[:size]).separation.beta
    ax.axvline(float(default), color=ax.lines[-1].get_color(), linestyle=":")
ax.set(xscale="log", xlabel="inverse temperature β", ylabel="share recalled exactly")
ax.spines[["top", "right"]].set_visible(False)
ax.legend()
figure.savefig("which_beta.png", dpi=110)

# Other separations, for 1000 memories. Weights that do not sum to one lead away from what is
# stored, so powers are normalised.

choices = {
    "none given: softmax, β chosen for the data": None,
    "`Softmax(1 / 28)`, as attention has it": separation.Softmax(1 / 28),
    "`Softmax(28)`": separation.Softmax(28.0),
    "`Entmax(1.5, 28)`": separation.Entmax(1.5, 28.0),
    "`Entmax(2, 28)`": separation.Entmax(2.0, 28.0),
    "`SumNormalised(Power(2))`": separation.SumNormalised(separation.Power(2, rectified=True)),
    "`SumNormalised(Power(100))`": separation.SumNormalised(separation.Power(100, rectified=True)),
    "`Max()`": separation.Max(),
}
for name, how in choices.items():
    print(f"| {name} | {100 * recalled(x, how):.0f} |")
