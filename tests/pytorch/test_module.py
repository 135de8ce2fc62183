"""A layer of JAX as a module of PyTorch: same numbers, same learning, and clear refusals."""

import copy
import gc
import io
import re
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

import attrax  # noqa: E402
import attrax.torch  # noqa: E402
from attrax.common.checks import POSITIVE  # noqa: E402
from attrax.torch import bridge, program  # noqa: E402

KEY = jax.random.key(0)
ROWS = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def perceptron():
    return eqx.nn.MLP(4, 3, 5, 1, key=KEY)


def attention(**options):
    return eqx.nn.MultiheadAttention(2, 4, key=KEY, **options)


def drawn(*shape, seed=1, **options):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).requires_grad_(options.get("learns", False))


def array(tensor):
    return jnp.asarray(tensor.detach().numpy())


class Bell(eqx.Module):
    """A read of learnt rows, with a positive width and a mask."""

    rows: jax.Array
    beta: jax.Array = eqx.field(metadata=POSITIVE)
    taken: jax.Array

    def __call__(self, query):
        weights = jax.nn.softmax(self.beta * (self.rows @ query), where=self.taken)
        return weights @ self.rows


def bell():
    return Bell(jnp.asarray(ROWS), jnp.asarray(2.0), jnp.arange(6) > 0)


@pytest.fixture(scope="module")
def module():
    return attrax.torch.Module(perceptron())


def test_outputs_are_those_of_the_layer(module):
    x = drawn(5, 4)
    expected = jax.vmap(perceptron())(array(x))
    np.testing.assert_allclose(module(x).detach(), expected, rtol=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(module(x), expected, rtol=1e-6)


def test_gradients_of_inputs_and_parameters_are_those_of_jax():
    layer, module = attention(), attrax.torch.Module(attention())
    tensors = [drawn(3, 5, 4, seed=seed, learns=True) for seed in range(3)]

    def loss(layer, *inputs):
        return jnp.sum(jnp.sin(jax.vmap(layer)(*inputs)))

    arrays, static = eqx.partition(layer, eqx.is_inexact_array)
    expected = jax.grad(
        lambda arrays, *inputs: loss(eqx.combine(arrays, static), *inputs), argnums=(0, 1, 2, 3)
    )(arrays, *map(array, tensors))
    module(*tensors).sin().sum().backward()
    for tensor, gradient in zip(tensors, expected[1:], strict=True):
        np.testing.assert_allclose(tensor.grad, gradient, rtol=1e-5, atol=1e-6)
    parameters = dict(module.named_parameters())
    assert set(parameters) == {
        f"{name}_proj.weight" for name in ("query", "key", "value", "output")
    }
    for name, parameter in parameters.items():
        gradient = getattr(expected[0], name.removesuffix(".weight")).weight
        np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-5, atol=1e-6)


def test_torch_agrees_on_the_derivative(x64):
    layer = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf, bell()
    )
    module = attrax.torch.Module(layer)
    x = drawn(2, 4).double().requires_grad_()
    parameters = list(module.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: module(x), (x, *parameters))


def test_only_what_is_wanted_gets_a_gradient(module):
    x = drawn(5, 4, learns=True)
    (found,) = torch.autograd.grad(module(x).sum(), x)
    assert found.shape == x.shape
    frozen = attrax.torch.Module(perceptron()).requires_grad_(False)
    assert frozen(x.detach()).grad_fn is None
    first = next(iter(frozen.parameters())).requires_grad_()
    frozen(x.detach()).sum().backward()
    assert first.grad.abs().sum() > 0
    assert [p.grad is None for p in frozen.parameters()] == [False, True, True, True]


def test_without_gradients_nothing_is_kept_for_them():
    module = attrax.torch.Module(lambda x: jnp.tanh(x) * 3.0)
    x = drawn(7, 4, learns=True)
    run = module._wrapped.programs[True]
    with torch.no_grad():
        assert module(x).grad_fn is None
    assert module(x.detach()).grad_fn is None
    with torch.inference_mode():
        module(x)
    assert (run.outputs._cache_size(), run.forward._cache_size()) == (1, 0)
    module(x)
    assert (run.outputs._cache_size(), run.forward._cache_size()) == (1, 1)


def test_one_program_is_compiled_for_each_shape_and_shared_by_equal_layers():
    traced = []

    class Counting(eqx.Module):
        weight: jax.Array

        def __call__(self, x, scale=1.0):
            traced.append(x.shape)
            return self.weight * x * scale

    modules = [attrax.torch.Module(Counting(jnp.full(4, float(i)))) for i in range(3)]
    for i, module in enumerate(modules):
        for _ in range(3):
            found = module(torch.ones(2, 4), scale=3.0 + i)
            np.testing.assert_allclose(found.detach(), np.full((2, 4), i * (3.0 + i)))
            found.sum().backward()
    assert traced == [(4,)]
    modules[0](torch.ones(3, 4), scale=1.0)
    assert traced == [(4,)] * 2
    assert modules[0]._wrapped.programs[True] is modules[2]._wrapped.programs[True]


def test_layers_that_differ_in_more_than_arrays_share_nothing():
    class Scaled(eqx.Module):
        by: object

        def __call__(self, x):
            return x * self.by

    one, other = attrax.torch.Module(Scaled(1)), attrax.torch.Module(Scaled(1.0))
    assert one._wrapped.initial is not other._wrapped.initial
    listed = attrax.torch.Module(Scaled(np.arange(4.0, dtype=np.float32)))
    np.testing.assert_array_equal(listed(torch.ones(2, 4)), [[0, 1, 2, 3]] * 2)


def test_programs_go_with_the_modules():
    before = len(program._programs)
    module = attrax.torch.Module(lambda x: x + 1.0)
    module(torch.ones(2, 1))
    assert len(program._programs) == before + 1
    del module
    gc.collect()
    assert len(program._programs) <= before


def test_it_learns_the_same_curve_as_in_jax(module):
    data = np.random.default_rng(3).standard_normal((32, 4)).astype(np.float32)
    target = np.tanh(data[:, :3] + data[:, 1:])
    layer, optimizer = bell(), optax.adamw(3e-2, weight_decay=0.0)

    def loss(layer, batch):
        x, y = batch
        return jnp.mean((jax.vmap(layer)(x)[:, :3] - y) ** 2)

    trained = attrax.training.train(layer, loss, (data, target), steps=40, optimizer=optimizer)
    door = attrax.torch.Module(layer)
    steps = torch.optim.AdamW(door.parameters(), lr=3e-2, weight_decay=0.0)
    losses = []
    for _ in range(40):
        steps.zero_grad()
        value = (door(torch.from_numpy(data))[:, :3] - torch.from_numpy(target)).square().mean()
        value.backward()
        steps.step()
        losses.append(value.item())
    np.testing.assert_allclose(losses, trained.losses, rtol=2e-4)
    assert losses[-1] < 0.8 * losses[0]
    back = door.module()
    np.testing.assert_allclose(back.rows, trained.model.rows, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(back.beta, trained.model.beta, rtol=1e-3)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_optimisers_of_torch_train_a_network_that_contains_it(name):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 4), attrax.torch.Module(bell()), torch.nn.Linear(4, 1)
    )
    x = drawn(16, 3)
    y = x.prod(dim=1, keepdim=True)
    optimizer = getattr(torch.optim, name)(network.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_parameters_are_named_by_their_places_and_other_arrays_are_buffers():
    module = attrax.torch.Module(bell())
    assert [name for name, _ in module.named_parameters()] == ["rows", "log_beta"]
    assert [name for name, _ in module.named_buffers()] == ["taken"]
    assert module.log_beta.item() == pytest.approx(np.log(2.0))
    assert module.taken.dtype is torch.bool
    deep = attrax.torch.Module(eqx.nn.Sequential([perceptron(), eqx.nn.Lambda(jnp.tanh)]))
    assert "layers.0.layers.1.weight" in deep.state_dict()
    assert re.match(r"Module\(\s*Bell", repr(module))


def test_a_positive_parameter_cannot_become_negative():
    module = attrax.torch.Module(bell())
    optimizer = torch.optim.SGD([module.log_beta], lr=1e6)
    (-module(drawn(3, 4)).square().sum()).backward()
    gradient = module.log_beta.grad.item()
    assert gradient != 0
    module.log_beta.grad.fill_(1e-6)
    for _ in range(5):
        optimizer.step()
    assert 0 < float(module.module().beta) < 0.02


def test_names_that_torch_needs_are_kept_free():
    class Awkward(eqx.Module):
        training: jax.Array
        module: dict

        def __call__(self, x):
            return x * self.training + self.module["a.b"]

    module = attrax.torch.Module(Awkward(jnp.ones(2), {"a.b": jnp.ones(2)}))
    assert set(module.state_dict()) == {"training_", "module_.a_b"}
    np.testing.assert_array_equal(module(torch.ones(1, 2)).detach(), [[2, 2]])
    clash = {"a.b": jnp.ones(2), "a_b": jnp.ones(2)}
    with pytest.raises(ValueError, match=r"both named module\.a_b"):
        attrax.torch.Module(Awkward(jnp.ones(2), clash))


def test_the_layer_comes_back_as_it_is_now_and_stays_so(module):
    back = module.module()
    assert jax.tree.structure(back) == jax.tree.structure(perceptron())
    assert eqx.tree_equal(back, perceptron())
    door = attrax.torch.Module(perceptron())
    before = door.module()
    with torch.no_grad():
        for parameter in door.parameters():
            parameter.add_(1.0)
    assert eqx.tree_equal(before, perceptron())
    np.testing.assert_allclose(door.module().layers[0].bias, perceptron().layers[0].bias + 1.0)
    x = drawn(2, 4)
    np.testing.assert_allclose(door(x).detach(), jax.vmap(door.module())(array(x)), rtol=1e-6)


def test_a_state_is_saved_and_loaded(module):
    file = io.BytesIO()
    other = attrax.torch.Module(eqx.nn.MLP(4, 3, 5, 1, key=jax.random.key(7)))
    x = drawn(2, 4)
    torch.save(other.state_dict(), file)
    file.seek(0)
    door = attrax.torch.Module(perceptron())
    assert not torch.equal(door(x), other(x))
    door.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(door(x), other(x))
    with pytest.raises(RuntimeError, match="size mismatch"):
        door.load_state_dict(attrax.torch.Module(eqx.nn.MLP(4, 3, 6, 1, key=KEY)).state_dict())
    with pytest.raises(TypeError, match=r"torch\.save\(module\.state_dict\(\), path\)"):
        torch.save(door, io.BytesIO())


def test_what_was_replaced_is_let_go():
    module = attrax.torch.Module(perceptron())
    places = {parameter.data_ptr() for parameter in module.parameters()}
    module.load_state_dict(module.state_dict(), assign=True)
    module.double()
    gc.collect()
    # By type, for other objects of the tests answer to `isinstance` with an import.
    alive = [each for each in gc.get_objects() if type(each) in (torch.Tensor, torch.nn.Parameter)]
    dense = [each for each in alive if each.layout is torch.strided]
    assert dense
    assert not [each for each in dense if each.data_ptr() in places]


def test_a_copy_learns_by_itself(module):
    other = copy.deepcopy(module)
    assert other._wrapped is module._wrapped
    with torch.no_grad():
        other.get_parameter("layers.1.bias").add_(1.0)
    x = drawn(2, 4)
    np.testing.assert_allclose((other(x) - module(x)).detach(), np.ones((2, 3)), rtol=1e-5)


def test_tensors_may_be_replaced():
    one, other = attrax.torch.Module(perceptron()), attrax.torch.Module(perceptron())
    x = drawn(2, 4)
    other.layers.get_submodule("1").bias = torch.nn.Parameter(torch.full((3,), 7.0))
    assert not torch.equal(one(x), other(x))
    # Shared with another module.
    one.layers.get_submodule("1").bias = other.layers.get_submodule("1").bias
    assert torch.equal(one(x), other(x))
    torch.nn.utils.parametrizations.weight_norm(one.layers.get_submodule("0"))
    assert torch.allclose(one(x), other(x), atol=1e-6)
    one(x).sum().backward()
    names = [name for name, p in one.named_parameters() if p.grad is None]
    assert not names
    replica = copy.copy(one)
    replica._modules = {"layers": copy.deepcopy(one.layers)}
    with torch.no_grad():
        replica.layers.get_submodule("1").bias.zero_()
    assert not torch.allclose(replica(x), one(x))


def test_dropout_follows_the_mode_and_the_generator_of_torch():
    module = attrax.torch.Module(attention(dropout_p=0.5))
    x = drawn(2, 5, 4)
    torch.manual_seed(0)
    one, two = module(x, x, x), module(x, x, x)
    torch.manual_seed(0)
    assert torch.equal(module(x, x, x), one)
    assert not torch.equal(one, two)
    # Examples have keys of their own.
    same = x[:1].expand(2, 5, 4)
    found = module(same, same, same)
    assert not torch.equal(found[0], found[1])
    module.eval()
    state = torch.random.get_rng_state()
    still = module(x, x, x)
    assert torch.equal(module(x, x, x), still)
    assert torch.equal(torch.random.get_rng_state(), state)
    expected = jax.vmap(attention())(*[array(x)] * 3)
    np.testing.assert_allclose(still.detach(), expected, rtol=1e-5, atol=1e-6)
    assert torch.nn.Sequential(module).train()[0].training
    assert not torch.equal(module(x, x, x), still)
    with pytest.raises(TypeError, match="`key` is drawn"):
        module(x, x, x, key=KEY)
    back = module.eval().module()
    assert not back.dropout.inference


def test_a_function_that_needs_a_key_always_gets_one():
    def noisy(x, *, key):
        return x + jax.random.normal(key, x.shape)

    module = attrax.torch.Module(noisy).eval()
    torch.manual_seed(3)
    found = module(torch.zeros(2, 3))
    assert len(np.unique(found)) == 6
    torch.manual_seed(3)
    assert torch.equal(module(torch.zeros(2, 3)), found)
    whole = attrax.torch.Module(noisy, batched=False)(torch.zeros(2, 3))
    assert len(np.unique(whole)) == 6


def test_arguments_are_trees_of_tensors_numbers_and_what_is_static():
    def f(pair, scale, *rest, mode="sum", flag=False, power=1, **others):
        x, y = pair["x"], pair["y"]
        found = x + y if mode == "sum" else x - y
        found = -found if flag else found
        return {"out": scale * found**power, "rest": rest, "more": others["more"]}

    module = attrax.torch.Module(f, static=("power",))
    pair = {"x": torch.ones(3, 2), "y": torch.full((3, 2), 2.0)}
    found = module(pair, 2.0, torch.arange(3), mode="difference", power=3, more=torch.zeros(3, 1))
    np.testing.assert_array_equal(found["out"], np.full((3, 2), -2.0))
    np.testing.assert_array_equal(found["rest"][0], [0, 1, 2])
    assert found["more"].shape == (3, 1)
    shared = module(pair, torch.tensor(3.0), flag=True, more=torch.zeros(3))
    np.testing.assert_array_equal(shared["out"], np.full((3, 2), -9.0))
    # Equal numbers of different kinds are different programs.
    one = module(pair, 1.0, power=2, more=torch.zeros(3))["out"]
    assert module(pair, 1.0, power=2.0, more=torch.zeros(3))["out"].dtype is one.dtype


def test_a_number_takes_part_in_the_derivative():
    module = attrax.torch.Module(lambda x, scale: scale * x**2)
    for scale in (2.0, 5):
        x = torch.full((3,), 3.0, requires_grad=True)
        module(x, float(scale)).sum().backward()
        np.testing.assert_allclose(x.grad, np.full(3, 6.0 * scale))


def test_whole_numbers_and_booleans_among_outputs_have_no_gradient():
    def f(x, index):
        return x[index], jnp.argmax(x), x > 0

    module = attrax.torch.Module(f)
    x = drawn(4, 3, learns=True)
    value, best, sign = module(x, torch.tensor([0, 1, 2, 0]))
    assert (best.dtype, sign.dtype) == (torch.int32, torch.bool)
    assert [it.requires_grad for it in (value, best, sign)] == [True, False, False]
    value.sum().backward()
    np.testing.assert_array_equal(x.grad, np.eye(3)[[0, 1, 2, 0]])
    assert torch.equal(best.long(), x.argmax(dim=1))


def test_outputs_that_torch_does_not_know_are_refused():
    x = drawn(4, 3, learns=True)
    only = attrax.torch.Module(jnp.argmax)(x)
    assert not only.requires_grad
    for function, text in {
        lambda x: jnp.fft.fft(x): "complex numbers",
        lambda x: (x, jax.random.key(0)): "a random key",
    }.items():
        with pytest.raises(TypeError, match=text):
            attrax.torch.Module(function)(x)


def test_an_output_that_is_not_used_counts_as_zero():
    module = attrax.torch.Module(lambda x: (x**2, x**3))
    x = torch.full((2,), 2.0, requires_grad=True)
    module(x)[1].sum().backward()
    np.testing.assert_array_equal(x.grad, [12.0, 12.0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_goes_through(dtype):
    module = attrax.torch.Module(perceptron()).to(dtype)
    x = drawn(2, 4).to(dtype).requires_grad_()
    found = module(x)
    assert found.dtype is dtype
    found.sum().backward()
    assert x.grad.dtype is dtype
    whole = attrax.torch.Module(perceptron())(x.detach().float())
    np.testing.assert_allclose(found.detach().float(), whole.detach(), atol=0.05)
    back = module.module().layers[0].weight
    assert back.dtype == (jnp.bfloat16 if dtype is torch.bfloat16 else jnp.float16)


def test_double_precision_needs_jax_to_compute_in_it(module):
    with pytest.raises(TypeError, match=r"`x` is of float64.*x\.float\(\).*jax_enable_x64"):
        module(drawn(2, 4).double())
    double = copy.deepcopy(module).double()
    with pytest.raises(TypeError, match=r"`layers\.0\.weight` is of float64"):
        double(drawn(2, 4))
    with pytest.raises(TypeError, match=r"`layers\.0\.weight` is of float64"):
        double.module()
    with jax.enable_x64(True):
        assert double(drawn(2, 4).double()).dtype is torch.float64
        assert double.module().layers[0].weight.dtype == jnp.float64


def test_whole_numbers_beyond_32_bits_are_refused():
    module = attrax.torch.Module(lambda index: index + 1)
    assert module(torch.tensor([2**31 - 2])).item() == 2**31 - 1
    for wrong in (2**31, -(2**31) - 1):
        with pytest.raises(ValueError, match="`index` holds whole numbers beyond int32"):
            module(torch.tensor([wrong]))
    with jax.enable_x64(True):
        assert module(torch.tensor([2**40])).item() == 2**40 + 1


@pytest.mark.parametrize(
    ("tensor", "error", "text"),
    [
        (torch.ones(2, 4, dtype=torch.complex64), TypeError, "`x` is complex"),
        (torch.ones(2, 4).to(torch.float8_e4m3fn), TypeError, "`x` is of float8_e4m3fn"),
        (torch.ones(2, 4).to_sparse(), TypeError, "`x` is sparse: pass x.to_dense()"),
        (torch.ones(2, 4, device="meta"), ValueError, r"`x` is on meta, but `layers\.0\.weight`"),
        (np.ones((2, 4)), TypeError, "`x` must be a tensor, but it is ndarray"),
        (jnp.ones((2, 4)), TypeError, "`x` must be a tensor, but it is ArrayImpl"),
        ((1, {3}), TypeError, r"`x\[1\]` is set, which is no tensor and, having no hash"),
        (torch.tensor(1.0), ValueError, "MLP is mapped over the first axis .* none has an axis"),
    ],
)
def test_what_jax_cannot_take_is_refused_by_name(module, tensor, error, text):
    with pytest.raises(error, match=text):
        module(tensor)


def test_numbers_of_examples_must_agree():
    module = attrax.torch.Module(attention())
    with pytest.raises(ValueError, match=r"`key_` has 3 examples.*`query` has 2"):
        module(drawn(2, 5, 4), drawn(3, 5, 4), drawn(2, 5, 4))
    nested = attrax.torch.Module(lambda pair: pair["a"] + pair["b"])
    with pytest.raises(ValueError, match=r"`pair\['b'\]` has 3 examples.*`pair\['a'\]` has 2"):
        nested({"a": torch.ones(2), "b": torch.ones(3)})


def test_a_device_that_jax_lacks_is_refused(monkeypatch):
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(bridge, "_has_gpu", lambda: False)
    with pytest.raises(ValueError, match=r"`query` is on cuda:0, but JAX has no GPU.*jax\[cuda"):
        bridge.check_device("query", cuda)
    with pytest.raises(ValueError, match="`query` is on mps:0, which JAX and PyTorch do not share"):
        bridge.check_device("query", torch.device("mps", 0))
    monkeypatch.setattr(bridge, "_has_gpu", lambda: True)
    monkeypatch.setattr(bridge, "_warned", False)
    monkeypatch.delenv("XLA_PYTHON_CLIENT_PREALLOCATE", raising=False)
    with pytest.warns(UserWarning, match="XLA_PYTHON_CLIENT_PREALLOCATE=false"):
        bridge.check_device("query", cuda)
    bridge.check_device("query", cuda)
    monkeypatch.setattr(bridge, "_warned", False)
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    bridge.check_device("query", cuda)


@pytest.mark.parametrize(
    ("layer", "options", "error", "text"),
    [
        (eqx.nn.MLP, {}, TypeError, "is a class"),
        (torch.nn.Linear(2, 2), {}, TypeError, "a module of PyTorch already"),
        (lambda a, b: a, {"static": ("c",)}, ValueError, "`static` names 'c'.*are a, b"),
        (eqx.nn.BatchNorm(3, "batch", mode="batch"), {}, TypeError, "has a state that goes from"),
    ],
)
def test_wrong_layers_are_refused(layer, options, error, text):
    with pytest.raises(error, match=text):
        attrax.torch.Module(layer, **options)


PREPARED = "import attrax, attrax.torch, torch, numpy; memory = attrax.Memory(numpy.eye(8))"
WRONG = {
    "attrax.torch.Module(3)": "`layer` must be a function, but it is int",
    "attrax.torch.Module(abs, static='x')": "`static` must be a tuple of names",
    "attrax.torch.Module(abs, static=(1,))": "`static` must be a tuple of names",
    "attrax.torch.retrieve(memory, numpy.eye(8))": "`queries` must be a tensor, but it is ndarray",
    "attrax.torch.retrieve(memory, torch.ones(8), known=numpy.ones(8, bool))": (
        "`known` must be a tensor, but it is ndarray"
    ),
    "attrax.torch.retrieve(torch.eye(8), torch.ones(8))": "`memory` must be a memory",
}


@pytest.mark.plain(PREPARED, list(WRONG))
def test_wrong_types_are_refused(answers):
    for call, text in WRONG.items():
        classes, message = answers[call]
        assert classes[0] == "TypeError", (call, message)
        assert text in message, call


def test_a_second_derivative_is_refused_and_never_left_out(module):
    x = drawn(2, 4, learns=True)
    # A penalty on the gradient beside a term that has a derivative: leaving one out would be wrong.
    (first,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    assert first.requires_grad
    with pytest.raises(NotImplementedError, match="first order only"):
        (first.square().sum() + x.sum()).backward()


def test_a_graph_is_gone_through_once_unless_it_is_kept(module):
    x = drawn(2, 4, learns=True)
    loss = module(x).sum()
    loss.backward(retain_graph=True)
    first = x.grad.clone()
    loss.backward()
    np.testing.assert_allclose(x.grad, 2 * first, rtol=1e-6)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_change_in_place_is_seen_or_harmless(module):
    door = attrax.torch.Module(lambda w, x: jnp.tanh(w * x))
    x, w = drawn(3, 2, learns=True), drawn(3, 2, seed=2, learns=True)
    # Outputs are PyTorch's to change; what the derivative needs of them is kept apart.
    found = door(w, x)
    expected = torch.autograd.grad(torch.tanh(w * x).sum(), (w, x))
    total = found.sum()
    with torch.no_grad():
        found.zero_()
    for one, other in zip(torch.autograd.grad(total, (w, x)), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    total = door(w, x).sum()
    with torch.no_grad():
        w.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_outputs_never_share_memory_with_inputs_or_with_one_another():
    constant = jnp.ones(3)
    module = attrax.torch.Module(lambda x: (x, x, constant), batched=False)
    x = torch.zeros(3)
    for tensor in module(x):
        tensor.add_(1.0)
    assert torch.equal(x, torch.zeros(3))
    np.testing.assert_array_equal(constant, np.ones(3))
    same, again, fixed = module(x)
    assert torch.equal(same, again)
    assert torch.equal(fixed, torch.ones(3))
    y = torch.zeros(3, requires_grad=True)
    z = torch.zeros(3, requires_grad=True)
    attrax.torch.Module(lambda y, z: y + z)(y, z).sum().backward()
    y.grad.add_(1.0)
    np.testing.assert_array_equal(z.grad, np.ones(3))


def test_tensors_of_any_layout_come_through(module):
    x = drawn(8, 4)
    expected = module(x).detach()
    for given in (
        x.T.contiguous().T,
        torch.cat([x, x], dim=1)[:, :4],
        torch.cat([torch.zeros(1), x.flatten()])[1:].view(8, 4),
        torch.stack([x, x], dim=1)[:, 0],
    ):
        np.testing.assert_allclose(module(given).detach(), expected, rtol=1e-6)
        np.testing.assert_allclose(
            attrax.torch.Module(jnp.sum)(given.bfloat16()).float(),
            x.bfloat16().float().sum(1),
            atol=0.1,
        )
    loss = module(x[:1].expand(3, 4)).sum()
    loss.backward()
    assert module(x[:0]).shape == (0, 3)


def test_memory_is_shared_without_a_copy():
    x = torch.zeros(64, 64)
    assert bridge.to_jax(x).ctypes.data == x.data_ptr()
    half = x.bfloat16()
    assert bridge.to_jax(half).unsafe_buffer_pointer() == half.data_ptr()
    answer = jnp.ones((64, 64))
    assert bridge.to_torch(answer).data_ptr() == answer.unsafe_buffer_pointer()


def test_it_works_under_checkpoints_hooks_and_functional_calls(module):
    from torch.utils.checkpoint import checkpoint

    # So many examples that PyTorch keeps what the derivative needs.
    x = drawn(1000, 4, learns=True)
    (expected,) = torch.autograd.grad(module(x).sin().sum(), x)
    for reentrant in (True, False):
        found = checkpoint(module, x, use_reentrant=reentrant)
        x.grad = None
        found.sin().sum().backward()
        np.testing.assert_allclose(x.grad, expected, rtol=1e-6)
    with torch.autograd.graph.save_on_cpu():
        found = module(x)
    np.testing.assert_allclose(torch.autograd.grad(found.sin().sum(), x)[0], expected, rtol=1e-6)
    zeros = {name: torch.zeros_like(p) for name, p in module.named_parameters()}
    assert torch.func.functional_call(module, zeros, (x,)).abs().sum() == 0


def test_what_is_large_is_kept_by_torch_and_freed_with_the_graph():
    module = attrax.torch.Module(lambda x: jnp.tanh(jnp.sin(x)).sum())
    for count, large in ((1000, True), (10, False)):
        x = drawn(count, 8, learns=True)
        sizes = [0]

        def see(tensor, sizes=sizes):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(see, lambda tensor: tensor):
            loss = module(x).sum()
        assert (max(sizes) >= 8000) is large
        loss.backward()
        expected = jax.grad(lambda x: jnp.tanh(jnp.sin(x)).sum())(array(x))
        np.testing.assert_allclose(x.grad, expected, rtol=1e-5, atol=1e-6)


def test_a_compiled_network_breaks_its_graph_here(module):
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), module)
    compiled = torch.compile(network, backend="eager")
    x = drawn(3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compiled(x)
    np.testing.assert_allclose(found.detach(), network(x).detach(), rtol=1e-6)
    found.sum().backward()
    assert network[0].weight.grad.abs().sum() > 0


LOOKS = {
    "trace": lambda module, x: torch.jit.trace(module, x),
    "export": lambda module, x: torch.export.export(module, (x,)),
    "vmap": lambda module, x: torch.func.vmap(module)(x[None]),
    "grad": lambda module, x: torch.func.grad(lambda x: module(x).sum())(x),
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_cannot_look_into_a_layer_never_takes_it_for_a_constant(name):
    module = attrax.torch.Module(perceptron()).eval().requires_grad_(False)
    text = "TorchScript cannot see into MLP" if name == "trace" else "."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(RuntimeError, match=text):
            LOOKS[name](module, torch.ones(3, 4))


def test_networks_take_states_and_frozen_parts_do_not_learn():
    from attrax.hierarchical import DenseSynapse, Neurons

    layers = {"seen": Neurons(4), "hidden": Neurons(6, attrax.separation.Softmax(2.0), tau=0.0)}
    network = attrax.HierarchicalMemory(layers, {("seen", "hidden"): DenseSynapse(ROWS)})
    energy = attrax.torch.Module(network.energy)
    states = {"seen": drawn(3, 4, learns=True), "hidden": drawn(3, 6)}
    energy(states).sum().backward()
    expected = jax.vmap(jax.grad(network.energy))(jax.tree.map(array, states))
    np.testing.assert_allclose(states["seen"].grad, expected["seen"], rtol=1e-4, atol=1e-5)
    assert "synapses.0.weights" in dict(energy.named_parameters())
    frozen = attrax.torch.Module(network.freeze("hidden").energy)
    changed = dict(energy.named_parameters()).keys() - dict(frozen.named_parameters()).keys()
    assert changed == {"neurons.hidden.lagrangian.separation.log_beta"}
    assert "neurons.hidden.lagrangian.separation.beta" in dict(frozen.named_buffers())


def test_memories_and_their_energies_are_layers():
    memory = attrax.Memory(ROWS, separation=attrax.separation.Softmax(2.0))
    queries = drawn(3, 4, learns=True)
    read, energy = attrax.torch.Module(memory), attrax.torch.Module(memory.energy)
    np.testing.assert_allclose(read(queries).detach(), jax.vmap(memory)(array(queries)), rtol=1e-5)
    expected = jax.vmap(jax.grad(memory.energy))(array(queries))
    energy(queries).sum().backward()
    np.testing.assert_allclose(queries.grad, expected, rtol=1e-4, atol=1e-6)
    assert dict(read.named_parameters()).keys() == dict(energy.named_parameters()).keys()
    assert isinstance(energy.module(), attrax.Memory)
    found = attrax.torch.Module(
        lambda queries: attrax.retrieve(memory, queries).state, batched=False
    )(queries.detach())
    np.testing.assert_allclose(found, attrax.retrieve(memory, array(queries)).state, rtol=1e-5)


def test_a_layer_need_not_have_arrays():
    module = attrax.torch.Module(eqx.nn.Identity())
    assert not list(module.parameters())
    assert isinstance(module.module(), eqx.nn.Identity)
    x = drawn(2, 3, learns=True)
    module(x).sum().backward()
    np.testing.assert_array_equal(x.grad, np.ones((2, 3)))


def test_a_function_need_not_tell_its_parameters():
    plus = attrax.torch.Module(jnp.add)
    np.testing.assert_array_equal(plus(torch.ones(2, 3), 1.0), np.full((2, 3), 2.0))
