"""Changes the mathematics in one place at a time, and says which changes no test notices.

    python tests/mutate.py --count 60 --seed 0

A kind of change is drawn first, then a place for it, so that the many numbers do not crowd out the
few signs. The tests that mirror the file run first, then those of its room and of the laws. All of
it happens in a copy of the tree. Changes that make no difference are argued in `equivalent.toml`.

mutmut passes over constants of modules and decorated functions, which here are what is compiled
and what certificates rest on. cosmic-ray runs the same tests for every file, and in the checkout.
"""

import argparse
import concurrent.futures
import difflib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from pathlib import Path

from mutations import Finder, Mutant

ROOT = Path(__file__).parent.parent
IGNORED = shutil.ignore_patterns(".venv*", ".git", ".cache", "__pycache__", "site", "out", "dist")

# Where the mathematics is, and the tests that a change there has to pass, nearest first.
TESTS = {
    "common/arithmetic.py": ("similarity", "separation", "conformance", "stores"),
    "similarity": ("similarity", "conformance", "stores", "test_retrieval.py"),
    "separation": ("separation", "conformance", "stores", "test_retrieval.py"),
    "stores": ("stores", "test_retrieval.py", "dynamics", "models", "conformance"),
    "spaces": ("test_retrieval.py", "dynamics", "stores", "models", "conformance"),
    "dynamics": ("dynamics", "test_retrieval.py", "models/test_hopfield.py", "conformance"),
    "learning": ("learning", "models/test_hopfield.py", "stores/test_matrix.py"),
    "theory": ("theory",),
    "hierarchical/equations.py": ("hierarchical", "dynamics", "conformance"),
    "evaluate": ("evaluate",),
}
SHOWN = {"passed": "SURVIVED", "failed": "killed", "import": "no import", "time": "too slow"}


def sources() -> list[Path]:
    """All files of the mathematics."""
    places = [ROOT / "src" / "attrax" / place for place in TESTS]
    files = [
        file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])
    ]
    return sorted(file for file in files if file.name != "__init__.py")


def draw(count: int, seed: int) -> dict[int, Mutant]:
    """Changes in different places, by number; every kind is as frequent while there are any."""
    kinds = defaultdict(list)
    for file in sources():
        for mutant in Finder(file.relative_to(ROOT).as_posix(), file.read_bytes()).mutants:
            kinds[mutant.kind].append(mutant)
    rng = random.Random(seed)
    drawn = {}
    while len(drawn) < count and any(kinds.values()):
        left = kinds[rng.choice(sorted(kind for kind in kinds if kinds[kind]))]
        mutant = left.pop(rng.randrange(len(left)))
        if mutant.compiles((ROOT / mutant.path).read_bytes()):
            drawn.setdefault((mutant.path, mutant.start, mutant.kind), mutant)
    return dict(enumerate(drawn.values(), 1))


def changed_lines(mutant: Mutant) -> tuple[str, str]:
    """The lines before and after the change, each on one line."""
    before = (ROOT / mutant.path).read_bytes()
    sides = (before.decode().splitlines(), mutant.applied(before).decode().splitlines())
    lines = list(difflib.unified_diff(*sides, n=0, lineterm=""))[2:]
    return tuple(
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )


def tests_of(path: str) -> list[str]:
    """The tests that a change of a file has to pass, its mirror first."""
    inside = path.removeprefix("src/attrax/")
    (room,) = [room for room in TESTS if inside == room or inside.startswith(f"{room}/")]
    mirror = Path(inside).with_name(f"test_{Path(inside).name}")
    files = [ROOT / "tests" / mirror, ROOT / "tests" / "test_defaults.py"]
    for place in (ROOT / "tests" / name for name in TESTS[room]):
        files += sorted(place.glob("test_*.py")) if place.is_dir() else [place]
    return list(dict.fromkeys(f.relative_to(ROOT).as_posix() for f in files if f.exists()))


def run_tests(copy: Path, files: list[str], marks: str, limit: float) -> tuple[str, str]:
    """How the tests end ("passed", "failed", "import" or "time"), and the first that failed."""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
    environment.setdefault("ATTRAX_TEST_CACHE", str(ROOT / ".cache" / "jax"))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider"),
            *("--tb=no", "-m", marks, *files),
        ],
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "time", f"more than {limit:.0f} s"
    if process.returncode in (0, 5):  # 5: no test has these marks.
        return "passed", ""
    first = re.search(r"^(FAILED|ERROR) (\S+)", text, re.MULTILINE)
    if process.returncode == 1 and first is not None:
        return "failed", first[2]
    return "import", first[2] if first else (text.strip() or "nothing was printed").splitlines()[-1]


def judge(copy: Path, files: list[str], limit: float, mutant: Mutant | None) -> tuple[str, str]:
    """Run the tests in a copy with one change, or with none; the slow ones last."""
    target = copy / (mutant.path if mutant else "pyproject.toml")
    original = target.read_bytes()

    def put(content):
        target.write_bytes(content)
        # Compiled files go by size and second, which two changes may have in common.
        for compiled in target.parent.glob(f"__pycache__/{target.stem}.*"):
            compiled.unlink()

    put(mutant.applied(original) if mutant else original)
    try:
        end = run_tests(copy, files, "not slow and not wheel", limit)
        return end if end[0] != "passed" else run_tests(copy, files, "slow", limit)
    finally:
        put(original)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60, help="how many changes are drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of changes, to run them again")
    parser.add_argument("--list", action="store_true", help="show the changes, and run nothing")
    parser.add_argument("--jobs", type=int, default=1, help="how many changes run at a time")
    parser.add_argument("--limit", type=float, default=900, help="seconds for one change")
    parser.add_argument("--unchecked", action="store_true", help="do not run tests unchanged first")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    drawn = draw(options.count, options.seed)
    if options.only:
        drawn = {number: drawn[number] for number in options.only}
    lines = {number: changed_lines(mutant) for number, mutant in drawn.items()}
    titles = {n: f"{mutant.kind:13} {mutant.path}:{mutant.line}" for n, mutant in drawn.items()}
    told = {n: f"{n:3} {titles[n]}\n      - {lines[n][0]}\n      + {lines[n][1]}" for n in drawn}
    if options.list:
        print("\n".join(told.values()))
        return 0

    argued = tomllib.loads((ROOT / "tests/equivalent.toml").read_text(encoding="utf-8"))["mutant"]
    reasons = {(m["path"], m["before"], m["after"]): m["why"] for m in argued}
    idle, survivors, judged = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for job in range(options.jobs):
            idle.append(shutil.copytree(ROOT, Path(folder) / str(job), ignore=IGNORED))
        if not options.unchecked:
            files = dict.fromkeys(file for m in drawn.values() for file in tests_of(m.path))
            end, first = judge(idle[0], list(files), 4 * options.limit, None)
            if end != "passed":
                print(f"Without any change the tests do not pass: {first}")
                return 2

        def run(number):
            mutant, began = drawn[number], time.monotonic()
            if reason := reasons.get((mutant.path, *lines[number])):
                return number, "equivalent", reason, 0.0
            copy = idle.pop()
            end, first = judge(copy, tests_of(mutant.path), options.limit, mutant)
            idle.append(copy)
            return number, SHOWN[end], first, time.monotonic() - began

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for done in concurrent.futures.as_completed(pool.submit(run, n) for n in drawn):
                number, end, first, seconds = done.result()
                print(
                    f"{number:3} {end:10} {seconds:4.0f} s  {titles[number]}  {first}", flush=True
                )
                judged += end != "equivalent"
                survivors += [number] if end == "SURVIVED" else []

    print(f"\n{len(survivors)} of {judged} changes survive", end="")
    print(f"; {len(drawn) - judged} others make no difference.")
    print("\n".join(told[number] for number in sorted(survivors)))
    return int(bool(survivors))


if __name__ == "__main__":
    sys.exit(main())
