"""A strict environment for all tests. Nothing of attrax may be imported here: the hook that checks
shape annotations (`--jaxtyping-packages` in pyproject.toml) is installed after this file is read.
"""

import gc
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import jax
import pytest

try:
    import fcntl
except ImportError:  # On Windows.
    fcntl = None

os.environ.setdefault("MPLBACKEND", "Agg")
# Read when a worker of pytest-xdist starts. Where workers keep all cores busy, the threads of a
# matrix product of NumPy's wait for one another: small products then take thirty times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Compilation is most of the time of a test run. Programs that run once need not be fast: this
# halves the time. ATTRAX_TEST_COMPILE=full compiles as users' machines do, which .ci/run does on
# the lowest versions. XLA stops at a flag that it does not know, hence the versions.
if os.environ.get("ATTRAX_TEST_COMPILE") != "full" and jax.__version_info__ < (0, 11):
    fast = (
        "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
        " --xla_cpu_parallel_codegen_split_count=1"
    )
    os.environ["XLA_FLAGS"] = f"{fast} {os.environ.get('XLA_FLAGS', '')}"

pytest_plugins = ["footprint"]

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("ATTRAX_TEST_CACHE", ROOT / ".cache" / "jax"))
# As in pyproject.toml.
CACHE_WARNINGS = [
    "-W",
    "default:Error reading persistent",
    "-W",
    "default:Error writing persistent",
]

# Before anything uses JAX: the number of devices is fixed at first use.
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# A second run takes compiled programs from here.
jax.config.update("jax_compilation_cache_dir", str(CACHE))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

# The same cases in every run, so that a failure is one for everybody.
hypothesis.settings.register_profile(
    "attrax",
    deadline=None,
    derandomize=True,
    max_examples=25,
    database=None,
    # On a busy machine drawing takes long, whatever is drawn.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("attrax")


# Tracing makes many small objects that live on, and looking through them takes a twentieth.
gc.set_threshold(50_000, 20, 100)

# Every compiled program maps and keeps some memory: Linux allows a process 65,530 maps, beyond
# which XLA crashes, and two workers should do with a small machine. So programs are dropped from
# time to time; the cache on disk has them still.
MOST_MAPS, MOST_MEMORY = 25_000, 2 << 30
MAPS, PAGES = Path("/proc/self/maps"), Path("/proc/self/statm")
FINISHED = itertools.count(1)


def resident():
    """The memory of this process in bytes."""
    return int(PAGES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pytest_runtest_teardown():
    global MOST_MEMORY
    if next(FINISHED) % 20 or not MAPS.exists():
        return
    with MAPS.open("rb") as maps:
        count = sum(1 for _ in maps)
    if count > MOST_MAPS or resident() > MOST_MEMORY:
        jax.clear_caches()
        gc.collect()
        # What is left is of another kind: dropping programs again at once would free nothing.
        MOST_MEMORY = max(MOST_MEMORY, resident() + (1 << 30))


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def x64():
    """Double precision; a whole file has it by `pytestmark = pytest.mark.usefixtures("x64")`."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Have one worker make what all of them read: `once(name, fill)` is a folder.

    `fill(folder)` writes into it; should it fail, the next worker to ask begins anew.
    """
    base = tmp_path_factory.getbasetemp()
    if fcntl is not None and "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def filled(name, fill):
        folder, done = base / name, base / f"{name}.done"
        with (base / f"{name}.lock").open("w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return filled


@pytest.fixture(scope="session")
def plain_answers(once, request):
    """How the calls of all tests marked `plain` end, by their setting."""
    calls = {}
    for item in request.session.items:
        for marker in item.iter_markers("plain"):
            calls[marker.args[0]] = list(marker.args[1])

    def run(folder):
        done = subprocess.run(
            [sys.executable, "-W", "error", *CACHE_WARNINGS, ROOT / "tests/plain.py"],
            input=json.dumps(calls),
            env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(CACHE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (folder / "answers.json").write_text(done.stdout, encoding="utf-8")

    return json.loads((once("plain", run) / "answers.json").read_text(encoding="utf-8"))


@pytest.fixture
def answers(plain_answers, request):
    """How the calls in the test's marker `plain` end: the error's classes, and its text."""
    return plain_answers[request.node.get_closest_marker("plain").args[0]]


@pytest.fixture
def printed(tmp_path):
    """Run a script by itself, compiled as users do, and return what it prints.

    For those that compute for longer than they compile.
    """

    def run(script: Path) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
        done = subprocess.run(
            [sys.executable, "-W", "error", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def pytest_collection_modifyitems(items):
    # The longest first, so that no worker waits at the end for another's.
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("wheel", "slow"))))
