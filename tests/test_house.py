"""What holds for the repository as a whole."""

import ast
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import re
import shutil
import subprocess
import sys
import types

import pytest

import attrax
from attrax.version import __version__

# Character classes keep this file from matching itself.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:w[o]rk|t[m]p|h[o]me|r[o]ot|o[p]t|U[s]ers|m[n]t)/\w",
    "a package index": r"p[y]pi\.org/simple|f[i]les\.pythonhosted|d[o]wnload\.pytorch|"
    r"--(?:extra-)?i[n]dex-url|--f[i]nd-links|f[i]le:///",
}


def tracked(root):
    """Paths of all files under version control, or about to be."""
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of files to read")
    command = ["git", "-c", f"safe.directory={root}", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [path for name in done.stdout.split("\0") if name and (path := root / name).is_file()]


def test_the_version_is_written_once(root):
    assert importlib.metadata.version("attrax") == __version__ == attrax.__version__
    places = [
        path.relative_to(root).as_posix()
        for path in (root / "src").rglob("*.py")
        if f'"{__version__}"' in path.read_text(encoding="utf-8")
    ]
    assert places == ["src/attrax/version.py"]


def test_the_version_is_the_one_to_cite_and_in_the_changelog(root):
    cff = (root / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", cff, re.MULTILINE) == [__version__]
    log = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[(.*?)\]", log, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in headings


def test_the_root_exports_at_most_twenty_names():
    exports = {name: getattr(attrax, name) for name in attrax.__all__}
    names = [
        name
        for name, value in exports.items()
        if not isinstance(value, types.ModuleType) and not name.startswith("_")
    ]
    assert 0 < len(names) <= 20, names
    assert set(attrax.__all__) <= set(dir(attrax))


def test_type_checkers_see_every_sub_package(root):
    tree = ast.parse((root / "src/attrax/__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    declared = {
        alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module is None
        for alias in node.names
        if alias.asname == alias.name
    }
    assert declared == set(attrax._ROOMS)
    absent = {
        room for room, needed in attrax._NEEDS.items() if not importlib.util.find_spec(needed)
    }
    assert declared - absent == set(dir(attrax)) - set(attrax.__all__)
    assert {name for name, _ in inspect.getmembers(attrax)} >= declared - absent
    exported = {
        alias.asname
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert exported == set(attrax.__all__) - {"__version__"}


def test_no_room_imports_the_root_which_stands_on_all_of_them(root):
    top, takers = root / "src/attrax", []
    rooms = {path.stem for path in top.iterdir()} - {"__init__", "__main__"}
    for path in top.rglob("*.py"):
        package = path.relative_to(root / "src").parts[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = {alias.name for alias in node.names}
            if isinstance(node, ast.Import):
                taken = names & {"attrax"}
            else:
                above = package[: len(package) + 1 - node.level] if node.level else ()
                source = ".".join([*above, *filter(None, [node.module])])
                taken = names - rooms if source == "attrax" else set()
            takers += [f"{path.relative_to(top)}:{node.lineno} {name}" for name in sorted(taken)]
    assert not takers, takers


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HopfieldNetwork", "attrax.models.hopfield_network"),
        ("Euclidean", "attrax.similarity.Euclidean"),
        ("memry", "attrax.Memory"),
        ("similarities", "attrax.similarity"),
        ("softmax", "attrax.separation.Softmax"),
        ("recall_sheet", "attrax.plot.recall_sheet"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_one_meant(name, meant):
    with pytest.raises(AttributeError, match=rf"Did you mean {re.escape(meant)}"):
        getattr(attrax, name)
    with pytest.raises(AttributeError, match=r"see attrax\.__all__"):
        attrax.qqqq  # noqa: B018


# What is loaded stays loaded, so the lightest comes first.
IMPORTS = """
import contextlib, io, json, sys
from attrax.cli import main

def report():
    print(json.dumps(sorted(name for name in sys.modules if "." not in name)))

with contextlib.redirect_stdout(io.StringIO()) as shown:
    for words in ([], ["recall"], ["restore"], ["list"], ["reproduce"], ["info"]):
        try:
            main([*words, "--help"])
        except SystemExit as end:
            assert end.code == 0
    assert main(["list"]) == 0
assert shown.getvalue().count("usage: attrax") == 6
report()

import attrax.data
attrax.data.load("sample", limit=1)
report()

for name in attrax.__all__:
    getattr(attrax, name)
report()
"""


def test_nothing_is_imported_before_it_is_needed():
    command = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    by_help, by_data, by_root = (set(json.loads(line)) for line in done.stdout.splitlines())
    assert "attrax" in by_help
    assert not by_help & {"jax", "numpy", "matplotlib"}
    assert "jax" in by_data
    assert not by_data & {"equinox", "PIL", "pooch", "sklearn", "matplotlib", "requests"}
    assert "equinox" in by_root
    assert not by_root & {"sklearn", "torch", "matplotlib", "PIL", "pooch", "tqdm", "pytest"}


@pytest.mark.parametrize(
    ("room", "needed", "name"),
    [("torch", "torch", "PyTorch"), ("estimators", "sklearn", "scikit-learn")],
)
def test_a_room_that_needs_more_says_what(room, needed, name):
    hidden = f"import sys; sys.modules['{needed}'] = None; import attrax; attrax.{room}"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f'ImportError: attrax.{room} needs {name}: pip install "attrax[{needed}]".'
    )


def test_every_tracked_file_speaks_of_attrax_alone(root):
    found = []
    paths = tracked(root)
    assert root / "pyproject.toml" in paths
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for what, pattern in FORBIDDEN.items():
            found += [f"{path.relative_to(root)}: {what}: {m}" for m in re.findall(pattern, text)]
    assert not found


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("see /wor" + "k/main", True),
        ("'/tm" + "p/x'", True),
        ("pip install --ind" + "ex-url x", True),
        ("/usr/share/datasets/fashion-mnist", False),
        ("pypi.org/project/attrax", False),
        ("docs/work/x and frame/home/x", False),
    ],
)
def test_the_search_finds_what_it_should(text, hit):
    assert any(re.search(pattern, text) for pattern in FORBIDDEN.values()) is hit


def test_every_target_of_make_is_well_formed(root):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE)
    assert {"demo", "test", "lint", "types", "contracts", "docs", "bench", "clean"} <= set(targets)
    for target in targets:
        command = ["make", "--dry-run", "--warn-undefined-variables", target]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "warning" not in done.stderr


def test_the_check_of_everything_is_well_formed(root):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    script = str(root / ".ci" / "run")
    done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_dependency_has_a_lower_bound(root):
    command = [sys.executable, str(root / ".ci" / "lowest.py")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pins = dict(line.split("==") for line in done.stdout.split())
    assert {"jax", "equinox", "numpy", "matplotlib", "pytest"} <= pins.keys()
    for name, bound in pins.items():
        installed = [int(n) for n in re.findall(r"\d+", importlib.metadata.version(name))]
        assert installed >= [int(n) for n in bound.split(".")], name


def test_benchmarks_name_what_is_there(root):
    """They run seldom, with libraries that need not be here; so their imports are read."""
    for path in sorted((root / "benchmarks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("attrax"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    part = f"{node.module}.{alias.name}"
                    there = hasattr(module, alias.name) or importlib.util.find_spec(part)
                    assert there, f"{path.name} imports {part}, which is not there"
