import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

N, D = 12, 6


@pytest.fixture
def rows():
    """Positive rows, which every similarity is defined for; call it within the wanted precision."""

    def draw(seed=0, shape=(N, D)):
        return jax.random.uniform(jax.random.key(seed), shape, minval=0.1)

    return draw


@pytest.fixture
def drawn():
    """States of all layers, with a leading axis if `count` is given."""

    def draw(network, count=None, seed=3):
        keys = jax.random.split(jax.random.key(seed), len(network.names))
        lead = () if count is None else (count,)
        return {
            name: jax.random.uniform(key, (*lead, *network.neurons[name].shape), network.dtype, 0.1)
            for name, key in zip(network.names, keys, strict=True)
        }

    return draw


@eqx.filter_jit
def _look(synapse, activations):
    def energy(activations):
        return synapse(*activations)

    value, slopes = jax.value_and_grad(energy)(activations)
    return value, tuple(-slope for slope in slopes)


@pytest.fixture
def looked_at():
    """The energy of a synapse, and its drive −∂E/∂g of each layer."""
    return lambda synapse, *activations: _look(synapse, activations)


@pytest.fixture
def rate():
    """Ė along the network's own velocity, the quadratic form it should equal, and their scale."""

    def measure(network, states):
        pulled = network.pull(states)
        taus = {name: network.neurons[name].tau for name in network.names}
        velocity = {n: (pulled[n] - states[n]) / taus[n] for n in network.names}
        slope = jax.jvp(network.energy, (states,), (velocity,))[1]
        forms = []
        for name in network.names:
            moved = (states[name],), (velocity[name],)
            bent = jax.jvp(network.neurons[name].activation, *moved)[1]
            forms.append(-taus[name] * jnp.sum(velocity[name] * bent))
        forms = jnp.stack(forms)
        return slope, jnp.sum(forms), 1 + jnp.sum(jnp.abs(forms))

    return measure
