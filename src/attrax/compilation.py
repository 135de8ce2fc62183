"""The cache of compiled programs on disk."""

import os
from pathlib import Path

# Most programs of attrax compile in less than JAX's own limit of a second.
_LEAST_SECONDS = 0.1


def enable_compilation_cache(path: str | os.PathLike | None = None) -> Path | None:
    """Keep compiled programs on disk, so that the next run need not compile them again.

    ```python
    attrax.enable_compilation_cache()  # once, at the top of a script or notebook
    ```

    This switches on JAX's persistent compilation cache for the whole process. Programs that are
    compiled already stay as they are.

    **Arguments:**

    - `path`: the folder, which is made if it is missing. `None` keeps the one that
      `JAX_COMPILATION_CACHE_DIR` or `jax.config` names already, and is otherwise
      `$XDG_CACHE_HOME/attrax/jax`, or `~/.cache/attrax/jax`.

    **Returns:** the folder; `None` where there is none, because the usual one cannot be written to
    or `JAX_COMPILATION_CACHE_DIR` is empty. Programs are then compiled in every run.

    **Raises:** `OSError` if a `path` that was given cannot be made or written to.
    """
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    if path is None:
        chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
        if chosen is not None or "JAX_COMPILATION_CACHE_DIR" in os.environ:
            return Path(chosen) if chosen else None
    folder = default_folder() if path is None else Path(path).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "it cannot be written to", str(folder))
    except OSError:
        if path is None:
            return None
        raise
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
    # JAX looks once, at the first compilation, whether there is a cache.
    compilation_cache.reset_cache()
    return folder


def default_folder() -> Path:
    """Where compiled programs are kept unless another place is named."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "attrax" / "jax"
