"""Checkpoints: a run that was stopped ends with the numbers of one that was not."""

import hashlib
import json
import os
import signal
import struct
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import attrax
from attrax import FileFormatError
from attrax import hierarchical as hi
from attrax.hierarchical import DenseSynapse, HierarchicalMemory, Neurons
from attrax.separation import Softmax
from attrax.training import checkpoint as checkpoints
from attrax.training import train

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(8, 5)).astype(np.float32)
WEIGHTS = RNG.normal(size=(4, 5)).astype(np.float32)
STEPS = 7
# Moments, counts, and random numbers of its own.
ADAM = optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(2)), optax.adam(0.05))


def quartic(state):
    return jnp.sum(state**4) / 4


def dot(lower, upper):
    return -jnp.dot(lower[:4], upper)


def network(beta=1.5, tau=0.1, width=4, frozen=()):
    """With what attrax.save refuses: plain functions."""
    layers = {"x": Neurons(5, hi.ConvexFunction(quartic)), "h": Neurons(width, Softmax(beta), tau)}
    joints = {("x", "h"): [DenseSynapse(WEIGHTS[:width]), dot]}
    return HierarchicalMemory(layers, joints, frozen=frozen)


NETWORK = network()


def noisy(model, batch, key):
    noise = 0.1 * jax.random.normal(key, batch.shape)
    return jnp.mean(
        jax.vmap(lambda row: model.energy({"x": row, "h": row[: model.neurons["h"].size]}))(
            batch + noise
        )
    )


def run(path=None, **changes):
    given = {
        "model": NETWORK,
        "loss": noisy,
        "batches": ROWS,
        "steps": STEPS,
        "batch_size": 3,
        "optimizer": ADAM,
        "checkpoint": path,
        "every": 2,
        "key": jax.random.key(0),
    }
    return train(**{**given, **changes})


@pytest.fixture(scope="module")
def whole():
    return run()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The bytes of the checkpoint of a finished run."""
    path = tmp_path_factory.mktemp("finished") / "run.checkpoint"
    run(path)
    return path.read_bytes()


class Stop(Exception):
    pass


def stop_after(step):
    def report(done, steps, loss):
        if done == step:
            raise Stop

    return report


def assert_same(found, expected):
    assert found.steps == expected.steps
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


# Going on.


@pytest.mark.contract
@pytest.mark.parametrize("stops", [(1,), (2,), (5, 6), (1, 2, 3, 4, 5, 6, 7)], ids=str)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(stops, path, whole):
    for step in stops:
        with pytest.raises(Stop):
            run(path, progress=stop_after(step))
    done = []
    assert_same(run(path, progress=lambda *now: done.append(now)), whole)
    # No step is made twice that a checkpoint holds.
    kept = STEPS if stops[-1] == STEPS else stops[-1] // 2 * 2
    assert [now[0] for now in done] == [*range(kept + 1, STEPS + 1)]


def test_a_finished_run_returns_at_once(path, whole, finished):
    path.write_bytes(finished)
    assert_same(run(path, progress=stop_after(1)), whole)
    assert path.read_bytes() == finished


def test_a_finished_run_can_be_made_longer(path, whole):
    run(path, steps=3)
    assert_same(run(path), whole)


def test_checkpoints_change_nothing(path, whole):
    assert_same(run(path, every=1), whole)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


SCRIPT = """
import sys
import equinox as eqx, jax, jax.numpy as jnp, numpy as np, optax
from attrax.training import train

class Linear(eqx.Module):
    weights: jax.Array

def loss(model, batch, key):
    rows = batch + 0.1 * jax.random.normal(key, batch.shape)
    return jnp.mean(jnp.square(rows @ model.weights - batch))

def report(done, steps, loss):
    print(done, flush=True)
    if done == 13:
        sys.stdin.read()  # until it is killed

rows = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
model = Linear(jnp.zeros((5, 5)))
found = train(model, loss, rows, steps=40, batch_size=3, checkpoint=sys.argv[1], every=5,
              key=jax.random.key(0), progress=report)
"""


def test_a_run_that_was_killed_goes_on_bit_for_bit(path):
    command = [sys.executable, "-c", SCRIPT, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 13:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    scope = {"__name__": "killed"}
    exec(SCRIPT.split("found =")[0], scope)
    options = {"steps": 40, "batch_size": 3, "key": jax.random.key(0)}
    parts = scope["model"], scope["loss"], scope["rows"]
    done = []
    found = train(*parts, **options, checkpoint=path, progress=lambda *now: done.append(now[0]))
    assert done == [*range(11, 41)]
    assert_same(found, train(*parts, **options))


def test_a_loss_that_is_no_number_leaves_the_last_checkpoint(path):
    def batches(step):
        return ROWS[:3] if step < 5 else ROWS[:3] / 0

    changes = {"batches": batches, "batch_size": None}
    with (
        np.errstate(divide="ignore"),
        pytest.raises(FloatingPointError, match=r"at step 6 of 7: .*holds the run up to step 4\."),
    ):
        run(path, **changes)
    kept = path.read_bytes()
    with pytest.raises(Stop):
        run(path, **changes, progress=stop_after(5))
    assert path.read_bytes() == kept


# Other runs.

OTHER = {
    "key": ({"key": jax.random.key(1)}, r"key was .* is "),
    "batch size": ({"batch_size": 4}, r"batch_size was 3 in it and is 4 here"),
    "rows": ({"batches": ROWS + 1}, r"batches was float32 \(8, 5\) with checksum"),
    "fewer rows": ({"batches": ROWS[:7]}, r"batches was .*\(8, 5\).* is float32 \(7, 5\)"),
    "a function": ({"batches": lambda step: ROWS, "batch_size": None}, "batch_size was 3"),
    "beta": (
        {"model": network(2.0)},
        r"model\.neurons\['h'\]\.lagrangian\.separation\.beta was float32 1\.5 in it and is "
        r"float32 2\.0 here",
    ),
    "tau": ({"model": network(tau=0.2)}, r"model\.neurons\['h'\]\.tau was 0\.1 in .* 0\.2 here"),
    "frozen": (
        {"model": network(frozen=("x-h",))},
        r"learns\['\.synapses\[0\]\.weights'\] was 'as it is' in it and is absent here",
    ),
    "trainable": ({"trainable": lambda n: n.synapses}, r"learns.*beta.* was 'by its logarithm' in"),
    "another model": (
        {"model": eqx.tree_at(lambda n: n.synapses[0].weights, NETWORK, jnp.asarray(WEIGHTS * 2))},
        r"model\.synapses\[0\]\.weights was float32 \(4, 5\) with checksum \w+ in it and is float",
    ),
    "another function": (
        {"model": eqx.tree_at(lambda n: n.synapses[1], NETWORK, hi.SynapseFunction(max))},
        r"model\.synapses\[1\]\.fn was dot in it and is max here",
    ),
    "optimizer": ({"optimizer": optax.sgd(0.1)}, r"optimizer.* was "),
    "optimizer's random numbers": (
        {"optimizer": optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(3)), optax.adam(0.05))},
        r"optimizer\[0\]\.rng_key was key<fry>",
    ),
    "fewer steps": ({"steps": 4}, r"`steps` is 4, but .* holds a run of 7 steps"),
}


@pytest.mark.parametrize("name", OTHER)
def test_a_checkpoint_of_another_run_is_refused(name, path, finished):
    path.write_bytes(finished)
    changes, message = OTHER[name]
    with pytest.raises(ValueError, match=message) as refused:
        run(path, **changes)
    assert not isinstance(refused.value, FileFormatError)
    assert "another `checkpoint`" in str(refused.value)
    assert path.read_bytes() == finished


def test_a_missing_folder_is_named_before_the_first_step(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run(tmp_path / "nowhere" / "run", progress=stop_after(1))


def test_arrays_that_a_file_cannot_hold_are_named_before_the_first_step(path):
    class Small(eqx.Module):
        weights: jax.Array
        table: jax.Array

    model = Small(jnp.ones(3), jnp.ones(3, jnp.float8_e4m3fn))
    with pytest.raises(TypeError, match=r"model\.table is an array of float8_e4m3fn"):
        run(path, model=model, progress=stop_after(1))
    assert not path.exists()


# Damaged, foreign and hostile files.


def opened(raw):
    length = struct.unpack("<Q", raw[8:16])[0]
    return json.loads(raw[16 : 16 + length]), raw[16 + length : -32]


def sealed(raw, header, body):
    """A file with a right checksum, as somebody who means harm would write it."""
    text = json.dumps(header).encode()
    check = hashlib.sha256(text + body).digest()
    return raw[:8] + struct.pack("<Q", len(text)) + text + body + check


def assert_refused(path, content, message="damaged"):
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        run(path, progress=stop_after(1))
    assert path.read_bytes() == content


def test_a_memory_and_a_checkpoint_are_not_each_other(path, finished):
    attrax.save(path, attrax.Memory(ROWS, separation=Softmax(1.0)))
    assert_refused(path, path.read_bytes(), r"is not a file that attrax\.training\.train wrote")
    path.write_bytes(finished)
    with pytest.raises(FileFormatError, match=r"is not a file that attrax\.save wrote"):
        attrax.load(path)


def test_damage_anywhere_is_seen(path, finished):
    # By the reader of checkpoints itself, since a run takes a while to be described.
    file = checkpoints.Checkpoint(path, {})
    places = np.linspace(0, len(finished) - 1, 60).astype(int)
    for place in places:
        flipped = bytearray(finished)
        flipped[place] ^= 4
        for content in (finished[:place], bytes(flipped)):
            path.write_bytes(content)
            with pytest.raises(FileFormatError, match=r"damaged|is not a file|of format"):
                file.read(())


def changed(**entries):
    return lambda header, body: ({**header, **entries}, body)


def without_first(header, body):
    first, *rest = header["arrays"]
    size = np.dtype(first["dtype"]).itemsize * int(np.prod(first["shape"]))
    return {**header, "arrays": rest}, body[size:]


def other_shape(header, body):
    arrays = [dict(array) for array in header["arrays"]]
    grid = next(array for array in arrays if array["shape"] == [4, 5])
    grid["shape"] = [5, 4]
    return {**header, "arrays": arrays}, body


def other_type(header, body):
    arrays = [dict(array) for array in header["arrays"]]
    grid = next(array for array in arrays if array["shape"] == [4, 5])
    grid["dtype"] = "int32"
    return {**header, "arrays": arrays}, body


HOSTILE = {
    "no run": changed(run=None),
    "a run of text": changed(run="x"),
    "no steps": changed(steps=None),
    "more steps": changed(steps=STEPS + 1),
    "steps of text": changed(steps="7"),
    "a later format": changed(format=2),
    "no arrays": lambda header, body: ({**header, "arrays": []}, b""),
    "an array less": without_first,
    "another shape": other_shape,
    "another type": other_type,
    "objects": changed(arrays=[{"dtype": "object", "shape": [1]}]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name, path, finished):
    header, body = opened(finished)
    assert sealed(finished, header, body) == finished
    assert_refused(path, sealed(finished, *HOSTILE[name](header, body)), "damaged|format 2")


def test_a_failing_write_leaves_the_old_checkpoint(path, monkeypatch, whole):
    with pytest.raises(Stop):
        run(path, progress=stop_after(2))
    old = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="no space left"):
            run(path)
    assert path.read_bytes() == old
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert_same(run(path), whole)
