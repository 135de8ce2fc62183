"""What attrax runs on: versions, devices, the cache of compiled programs, data sets."""

import json
import os
import platform
from pathlib import Path
from typing import Any

from ..compilation import default_folder, enable_compilation_cache
from ..version import __version__, installed_version

_NEEDED = ("jax", "jaxlib", "equinox", "optimistix", "diffrax", "optax", "jaxtyping", "numpy")
_EXTRAS = {
    "matplotlib": "plot",
    "pillow": "data",
    "pooch": "data",
    "scikit-learn": "sklearn",
    "tqdm": "progress",
}


def info(as_json: bool) -> int:
    """Print what a bug report should say."""
    import jax
    import jax.numpy as jnp

    from ..data import available

    folder = enable_compilation_cache()
    floats = jnp.result_type(float)
    content = {
        "attrax": __version__,
        "python": f"{platform.python_version()} on {platform.platform(terse=True)}",
        **{name: installed_version(name) for name in (*_NEEDED, *_EXTRAS)},
        "devices": [str(device) for device in jax.devices()],
        "floats": str(floats),
        "x64": floats == jnp.float64,
        "cache": None if folder is None else str(folder),
        "data sets": {name: place and str(place) for name, place in available().items()},
    }
    print(json.dumps(content, ensure_ascii=False) if as_json else _text(content, folder))
    return 0


def _text(content: dict[str, Any], folder: Path | None) -> str:
    rows = []
    for name, value in content.items():
        if name == "cache":
            rows.append((name, _fullness(folder)))
        elif name == "devices":
            rows.append((name, ", ".join(value)))
        elif name == "floats":
            rows.append((name, f"{value} (x64 is {'on' if content['x64'] else 'off'})"))
        elif name == "data sets":
            sets = [f"{each:<14} {place or 'not found'}" for each, place in value.items()]
            rows += [("data sets" if i == 0 else "", line) for i, line in enumerate(sets)]
        elif name != "x64":
            rows.append((name, _missing(name) if value is None else value))
    return "\n".join(f"{name:<14} {value}" for name, value in rows)


def _missing(name: str) -> str:
    return f'missing: pip install "attrax[{_EXTRAS[name]}]"' if name in _EXTRAS else "missing"


def _fullness(folder: Path | None) -> str:
    """The cache, and how much is in it, or why there is none."""
    if folder is None:
        if "JAX_COMPILATION_CACHE_DIR" in os.environ:
            return "off: JAX_COMPILATION_CACHE_DIR is empty"
        return f"off: {default_folder()} cannot be written to"
    if not folder.is_dir():
        return str(folder)
    sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
    return f"{folder} ({len(sizes)} files, {sum(sizes) / 1e6:.1f} MB)"
