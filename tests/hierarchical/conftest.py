import jax
import jax.numpy as jnp
import pytest

N, D = 12, 6


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def rows():
    """Positive rows, which every similarity is defined for; call it within the wanted precision."""

    def draw(seed=0, shape=(N, D)):
        return jax.random.uniform(jax.random.key(seed), shape, minval=0.1)

    return draw


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
