import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax.common.checks import FileFormatError
from attrax.nn import (
    EnergyTransformer,
    ImageEnergyTransformer,
    hide_patches,
    read_image_energy_transformer,
)

SHAPE, PATCH, D = (4, 6, 3), 2, 8
IMAGE = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
KNOWN = np.array([1, 0, 1, 1, 0, 1], bool)


def block(size=D, **options):
    return EnergyTransformer(size, heads=2, steps=2, key=jax.random.key(0), **options)


def model(shape=SHAPE, patch=PATCH, **options):
    return ImageEnergyTransformer(block(**options), shape, patch, key=jax.random.key(1))


@eqx.filter_jit
def run(layer, *given):
    return layer(*given)


def test_patches_are_cut_line_by_line_and_joined_again():
    layer = model()
    patches = layer.cut(IMAGE)
    assert patches.shape == (layer.patches, 12) == (6, 12)
    assert np.array_equal(patches[4], IMAGE[2:4, 2:4].reshape(-1))
    assert np.array_equal(layer.join(patches), IMAGE)
    flat = model((4, 6))
    assert np.array_equal(flat.cut(IMAGE[..., 0])[1], IMAGE[:2, 2:4, 0].reshape(-1))


def test_hidden_patches_are_not_seen():
    layer = model()
    other = layer.join(jnp.where(KNOWN[:, None], layer.cut(IMAGE), 7.0))
    assert np.array_equal(run(layer, IMAGE, KNOWN), run(layer, other, KNOWN))
    assert not np.array_equal(run(layer, IMAGE), run(layer, other))
    tokens = layer.tokens(IMAGE, KNOWN)
    assert tokens.shape == (7, D)
    np.testing.assert_allclose(tokens[0], layer.whole + layer.positions[0])
    np.testing.assert_allclose(tokens[2], layer.hidden + layer.positions[2])
    encoded = layer.encoder.weight @ layer.cut(IMAGE)[0] + layer.encoder.bias
    np.testing.assert_allclose(tokens[1], encoded + layer.positions[1], rtol=1e-5)


def test_tokens_are_normalised_once_before_they_are_decoded():
    layer = model()
    x = np.asarray(run(layer.block, layer.tokens(IMAGE, KNOWN)))[1:]
    centred = x - x.mean(1, keepdims=True)
    g = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    expected = g @ np.asarray(layer.decoder.weight).T + np.asarray(layer.decoder.bias)
    np.testing.assert_allclose(layer.cut(run(layer, IMAGE, KNOWN)), expected, rtol=1e-4, atol=1e-5)


def test_only_selected_patches_count():
    layer = model()
    missed = np.square(layer.cut(run(layer, IMAGE, KNOWN)) - layer.cut(IMAGE)).mean(1)
    np.testing.assert_allclose(
        eqx.filter_jit(layer.squared_error)(IMAGE, KNOWN, ~KNOWN), missed[~KNOWN].mean(), rtol=1e-5
    )
    images = jnp.stack([jnp.asarray(IMAGE)] * 2)

    @eqx.filter_jit
    @eqx.filter_grad
    def slopes(layer, images):
        return jnp.mean(jax.vmap(lambda x: layer.squared_error(x, KNOWN, ~KNOWN))(images))

    found = slopes(layer, images)
    assert np.abs(found.hidden).max() > 0
    assert np.abs(found.block.memories).max() > 0


def test_as_many_patches_are_hidden_as_asked():
    keys = jax.random.split(jax.random.key(0), 300)
    known, counted = jax.vmap(lambda key: hide_patches(10, 5, 4, key=key))(keys)
    assert (np.sum(~known, axis=1) == 4).all()
    assert (np.sum(counted, axis=1) == 5).all()
    assert (counted | known).all()
    np.testing.assert_allclose(counted.mean(0), 0.5, atol=0.12)
    known, counted = hide_patches(10, 5, key=keys[0])
    assert np.array_equal(known, ~counted)


def stored(layer, channels=3):
    """The arrays of a model by the names, and in the order, of the published file."""
    entries = layer.encoder.in_features
    side = int((entries / channels) ** 0.5)
    order = np.arange(entries).reshape(side, side, channels).transpose(2, 0, 1).reshape(-1)
    own = layer.block
    return {
        "Wq": own.attention.queries,
        "Wk": own.attention.keys,
        "Xi": own.memories.T,
        "Wenc": layer.encoder.weight.T[order],
        "Benc": layer.encoder.bias,
        "Wdec": layer.decoder.weight.T[:, order],
        "Bdec": layer.decoder.bias[order],
        "LNORM_gamma": own.norm.gamma,
        "LNORM_bias": own.norm.delta,
        "CLS_token": layer.whole,
        "MASK_token": layer.hidden,
        "POS_embed": layer.positions,
    }


def test_a_file_in_the_published_format_is_read(tmp_path):
    layer = model((4, 4, 3), self_term=True, memories=5, head_size=3)
    layer = eqx.tree_at(lambda m: m.block.norm.delta, layer, jnp.arange(D) / 10)
    np.savez(tmp_path / "weights.npz", **stored(layer))
    found = read_image_energy_transformer(tmp_path / "weights.npz", steps=2)
    assert found.shape == (4, 4, 3)
    known = np.array([True, False, True, True])
    np.testing.assert_allclose(
        run(found, IMAGE[:, :4], known), run(layer, IMAGE[:, :4], known), rtol=1e-5
    )
    # What its authors' code computes, in its own order of axes.
    arrays = {name: np.asarray(x) for name, x in stored(layer).items()}
    picture = IMAGE[:, :4].transpose(2, 0, 1)
    pieces = picture.reshape(3, 2, 2, 2, 2).transpose(1, 3, 0, 2, 4).reshape(4, -1)
    x = np.where(known[:, None], pieces @ arrays["Wenc"] + arrays["Benc"], arrays["MASK_token"])
    x = np.concatenate([arrays["CLS_token"][None], x]) + arrays["POS_embed"]
    np.testing.assert_allclose(found.tokens(IMAGE[:, :4], known), x, rtol=1e-5, atol=1e-6)


def spoilt(change):
    arrays = stored(model((4, 4, 3)))
    change(arrays)
    return arrays


@pytest.mark.parametrize(
    ("arrays", "channels", "says"),
    [
        (spoilt(lambda a: a.pop("Xi")), 3, "lacks Xi"),
        (spoilt(lambda a: a.update(Xi=a["Xi"].T)), 3, "`Xi` of .* must have axes"),
        (spoilt(lambda a: a.update(LNORM_gamma=np.ones(D))), 3, "`LNORM_gamma` of"),
        (spoilt(lambda a: None), 2, "makes no square ones of 2 channels"),
        (spoilt(lambda a: a.update(POS_embed=a["POS_embed"][:4])), 3, "makes no square ones"),
    ],
    ids=["missing", "transposed", "a scale each", "channels", "positions"],
)
def test_another_file_is_refused(tmp_path, arrays, channels, says):
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(FileFormatError, match=says):
        read_image_energy_transformer(tmp_path / "weights.npz", channels=channels)


def test_what_is_no_such_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image_energy_transformer(tmp_path / "weights.npz")
    for text in (b"", b"text", b"PK\x03\x04"):
        (tmp_path / "weights.npz").write_bytes(text)
        with pytest.raises(FileFormatError, match="not a file of NumPy arrays"):
            read_image_energy_transformer(tmp_path / "weights.npz")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: model(patch=4), "`patch` must divide"),
        (lambda: model((4,)), "`shape` must be"),
        (lambda: ImageEnergyTransformer(1, SHAPE, 2, key=jax.random.key(0)), "`block` must be an"),
        (lambda: model()(IMAGE[1:]), "`image` must have shape"),
        (lambda: model()(IMAGE, KNOWN[1:]), "`known` must have shape"),
        (lambda: model()(IMAGE, KNOWN * 1), "`known` must be boolean"),
        (lambda: model().join(IMAGE[0]), "`patches` must have shape"),
        (lambda: model().squared_error(IMAGE, KNOWN, KNOWN[1:]), "`counted` must have shape"),
        (lambda: hide_patches(4, 5, key=jax.random.key(0)), "`selected` must be at most 4"),
        (lambda: hide_patches(4, 2, 3, key=jax.random.key(0)), "`hidden` at most `selected`"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(call, says):
    with pytest.raises((ValueError, TypeError), match=says):
        call()
