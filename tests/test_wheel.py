"""The wheel: what is in it, and that it works where nothing else is installed."""

import os
import subprocess
import sys
import venv
import zipfile

import pytest

from attrax.version import __version__

pytestmark = pytest.mark.wheel

RECALL = """\
import attrax, jax
patterns = jax.random.normal(jax.random.key(0), (20, 64))
found = attrax.retrieve(attrax.Memory(patterns), patterns + 0.1)
assert found.state.shape == (20, 64), found.state.shape
assert bool(jax.numpy.allclose(found.state, patterns, atol=1e-2)), "not what was stored"
print(attrax.__version__, attrax.__file__)
"""


def run(*command, cwd, **variables):
    """The output of a command that sees no Python path of this run."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "JAX_", "VIRTUAL"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(root, once):
    def build(folder):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
        done = run(*command, root, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    (built,) = once("wheel", build).glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel, once):
    """An environment that holds the wheel and what the wheel asks for, nothing else."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]

    def install(folder):
        probe = [*pip, "download", "--quiet", "--no-deps", "--dest", folder, "opt_einsum"]
        if not os.environ.get("CI") and run(*probe, cwd=folder).returncode != 0:
            pytest.skip("no package index within reach: the wheel is not tried where it is alone")
        venv.create(folder / "env", system_site_packages=False, with_pip=False)
        command = [*pip, "--retries", "10", "--python", python_of(folder), "install", "--quiet"]
        # A download that breaks off is not tried again by pip itself.
        for _ in range(3):
            done = run(*command, wheel, cwd=folder)
            if done.returncode == 0:
                return
        raise AssertionError(done.stdout + done.stderr)

    return python_of(once("empty", install))


def python_of(folder):
    """The interpreter of the environment in a folder."""
    return folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"


def test_the_wheel_holds_what_it_needs_and_no_more(root, wheel):
    assert wheel.name == f"attrax-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    meta = f"attrax-{__version__}.dist-info/"
    assert {name.split("/")[0] + "/" for name in names} == {"attrax/", meta}
    sources = {
        path.relative_to(root / "src").as_posix()
        for path in (root / "src" / "attrax").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("attrax/")} == sources
    assert {"attrax/py.typed", "attrax/references.bib", "attrax/data/sample/NOTICE"} <= sources
    assert (
        sum(name.startswith("attrax/data/sample/") and name.endswith(".gz") for name in names) == 2
    )
    assert {f"{meta}licenses/LICENSE", f"{meta}licenses/src/attrax/data/sample/NOTICE"} <= set(
        names
    )
    assert wheel.stat().st_size < 2_000_000


def test_the_readme_is_the_description(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"attrax-{__version__}.dist-info/METADATA").decode()
    assert "Description-Content-Type: text/markdown" in metadata
    assert "License-Expression: Apache-2.0" in metadata


def test_recall_in_an_empty_environment(empty, tmp_path):
    done = run(empty, "-W", "error", "-c", RECALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    version, file = done.stdout.split()
    assert version == __version__
    assert str(empty.parent.parent) in file


def test_the_command_in_an_empty_environment(empty, tmp_path):
    done = run(empty.parent / "attrax", "info", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert __version__ in done.stdout
