"""A strict environment for all tests. Nothing of attrax may be imported here: the hook that checks
shape annotations (`--jaxtyping-packages` in pyproject.toml) is installed after this file is read.
"""

import os
from pathlib import Path

import hypothesis
import jax
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("ATTRAX_TEST_CACHE", ROOT / ".cache" / "jax"))

# Before anything uses JAX: the number of devices is fixed at first use.
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Compilation is most of the time of a test run; a second run takes it from here.
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

# The same cases in every run, so that a failure is one for everybody.
hypothesis.settings.register_profile(
    "attrax", deadline=None, derandomize=True, max_examples=25, database=None
)
hypothesis.settings.load_profile("attrax")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT
