"""The published weights of the image model, from the file that its authors give."""

import math
import os
import zipfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..common.checks import FileFormatError, whole_number
from .energy_transformer import EnergyTransformer
from .image_energy_transformer import ImageEnergyTransformer

# Arrays and their axes: heads H, keys Y, tokens D, memories M, pixels of a patch E, tokens P.
_AXES = {
    "Wq": "HYD",
    "Wk": "HYD",
    "Xi": "DM",
    "Wenc": "ED",
    "Benc": "D",
    "Wdec": "DE",
    "Bdec": "E",
    "LNORM_gamma": "",
    "LNORM_bias": "D",
    "CLS_token": "D",
    "MASK_token": "D",
    "POS_embed": "PD",
}


def read_image_energy_transformer(
    path: str | os.PathLike, *, channels: int = 3, steps: int = 12, alpha: ArrayLike = 0.1
) -> ImageEnergyTransformer:
    """The image model of a file of arrays, such as the published one trained on ImageNet.

    The file is `plaindict_ckpt.npz` of github.com/bhoov/energy-transformer-jax. Its images have
    shape (224, 224, 3), each channel less the mean (0.485, 0.456, 0.406) and divided by the
    standard deviation (0.229, 0.224, 0.225) of values from 0 to 1. Tokens attend to themselves
    too, as in training. Images are taken to be square.

    **Arguments:**

    - `path`: of the `.npz` file.
    - `channels`: of the images.
    - `steps`, `alpha`: see `EnergyTransformer`; the file does not hold them.

    **Returns:** the model, with patches in the order (height, width, channels).

    **Raises:** `FileNotFoundError` if there is no file; `FileFormatError` if it lacks an array or
    one does not fit.

    **Source:** [hoover2023energy]
    """
    path, channels = Path(path), whole_number("channels", channels)
    arrays = _arrays(path)
    (heads, width, size), memories = arrays["Wq"].shape, arrays["Xi"].shape[1]
    entries, patches = arrays["Bdec"].shape[0], arrays["POS_embed"].shape[0] - 1
    patch, side = math.isqrt(entries // channels), math.isqrt(patches)
    if not patches or channels * patch**2 != entries or side**2 != patches:
        raise FileFormatError(
            f"{path} has patches of {entries} entries, {patches} in an image, which makes no "
            f"square ones of {channels} channels."
        )
    key = jax.random.key(0)
    block = EnergyTransformer(
        size,
        heads=heads,
        head_size=width,
        memories=memories,
        steps=steps,
        alpha=alpha,
        self_term=True,
        key=key,
    )
    shape = (side * patch, side * patch, channels)
    model = ImageEnergyTransformer(block, shape, patch, key=key)
    # The file has pixels in the order (channels, height, width).
    order = np.arange(entries).reshape(channels, patch, patch).transpose(1, 2, 0).reshape(-1)
    arrays["Wenc"], arrays["Wdec"] = arrays["Wenc"][order].T, arrays["Wdec"][:, order].T
    arrays["Bdec"], arrays["Xi"] = arrays["Bdec"][order], arrays["Xi"].T
    return eqx.tree_at(
        lambda m: (
            *(m.block.attention.queries, m.block.attention.keys, m.block.memories),
            *(m.encoder.weight, m.encoder.bias, m.decoder.weight, m.decoder.bias),
            *(m.block.norm.gamma, m.block.norm.delta, m.whole, m.hidden, m.positions),
        ),
        model,
        tuple(jnp.asarray(arrays[name]) for name in _AXES),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file in single precision, of shapes that fit each other."""
    try:
        # A file that is refused is left open unless it is opened here.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: np.asarray(held[name], np.float32) for name in _AXES if name in held}
    except (ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise FileFormatError(f"{path} is not a file of NumPy arrays: {error}.") from error
    missing = [name for name in _AXES if name not in arrays]
    if missing:
        raise FileFormatError(f"{path} lacks {', '.join(missing)}.")
    sizes: dict[str, int] = {}
    for name, axes in _AXES.items():
        # The scale of layer norm may be an array of one number.
        if not axes and arrays[name].size == 1:
            arrays[name] = arrays[name].reshape(())
        array = arrays[name]
        if array.ndim != len(axes) or any(
            sizes.setdefault(axis, size) != size
            for axis, size in zip(axes, array.shape, strict=True)
        ):
            expected = ", ".join(f"{axis} = {sizes.get(axis, 'any')}" for axis in axes)
            raise FileFormatError(
                f"`{name}` of {path} must have axes ({expected}), but its shape is {array.shape}."
            )
    return arrays
