"""What attrax runs on: versions, devices, the cache of compiled programs, data sets."""

import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

from ..version import __version__

_NEEDED = ("jax", "jaxlib", "equinox", "optimistix", "diffrax", "optax", "jaxtyping", "numpy")
_EXTRAS = {
    "matplotlib": "plot",
    "pillow": "data",
    "pooch": "data",
    "scikit-learn": "sklearn",
    "tqdm": "progress",
}


def use_cache() -> str:
    """Keep compiled programs between runs, in the user's cache unless told otherwise.

    **Returns:** the folder, or why there is none.
    """
    import jax

    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if chosen is not None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return chosen or "off: JAX_COMPILATION_CACHE_DIR is empty"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(base).expanduser() / "attrax" / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"off: {folder} cannot be made ({error.strerror})"
    if not os.access(folder, os.W_OK):
        return f"off: {folder} cannot be written to"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # Most programs of attrax compile in less than JAX's own limit of a second.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return str(folder)


def info() -> int:
    """Print what a bug report should say."""
    import jax
    import jax.numpy as jnp

    cache = use_cache()
    x64 = jnp.result_type(float) == jnp.float64
    rows = [
        ("attrax", __version__),
        ("python", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        *((name, _version(name)) for name in _NEEDED),
        *((name, _version(name, extra)) for name, extra in _EXTRAS.items()),
        ("devices", ", ".join(str(device) for device in jax.devices())),
        ("floats", f"{jnp.result_type(float)} (x64 is {'on' if x64 else 'off'})"),
        ("cache", _filled(cache)),
        *_data_sets(),
    ]
    print("\n".join(f"{name:<14} {value}" for name, value in rows))
    return 0


def _version(name: str, extra: str | None = None) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing" if extra is None else f'missing: pip install "attrax[{extra}]"'


def _filled(cache: str) -> str:
    folder = Path(cache)
    if not folder.is_dir():
        return cache
    sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
    return f"{cache} ({len(sizes)} files, {sum(sizes) / 1e6:.1f} MB)"


def _data_sets() -> list[tuple[str, str]]:
    from ..data import available

    return [
        ("data sets" if i == 0 else "", f"{name:<14} {place or 'not found'}")
        for i, (name, place) in enumerate(available().items())
    ]
