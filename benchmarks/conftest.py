"""Speed beside rivals, in one run: `make bench`.

Each benchmark runs attrax and a rival in turn, A B A B ..., so that a change of the machine's speed
meets both, and reports the median of the pairwise ratios, and their quartiles, beside the target.
Nothing here passes or fails by time. A rival that is not installed is skipped with a message.
"""

import time
from dataclasses import dataclass
from statistics import median, quantiles

import jax
import numpy as np
import pytest

# At least so many pairs; short ones are repeated for so many seconds, since a machine that others
# share slows down for tenths of a second at a time.
ROUNDS, MOST, PATIENCE = 7, 101, 10.0


@dataclass
class Line:
    """One comparison, as the summary prints it."""

    name: str
    rival: str
    cold: float | None
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    target: float | None
    unit: str


LINES: list[Line] = []


def seconds(function, warm: bool = True) -> float:
    """Wall time of one call, its result waited for.

    An untimed call goes before it: threads of the rival that ran last still spin for a while.
    """
    if warm:
        jax.block_until_ready(function())
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


@pytest.fixture
def versus(benchmark, request):
    """Compare two functions of no arguments pair by pair: `versus(ours, theirs, "torch", 0.6)`."""

    def compare(ours, theirs, rival: str, target: float | None = None, rounds: int = ROUNDS):
        start = time.perf_counter()
        jax.block_until_ready(ours())
        cold = time.perf_counter() - start
        pairs, until = [], time.perf_counter() + PATIENCE
        # What is run once takes minutes, beside which a warm start is nothing.
        warm = rounds > 1
        while len(pairs) < rounds or (warm and len(pairs) < MOST and time.perf_counter() < until):
            pairs.append((seconds(ours, warm), seconds(theirs, warm)))
        ratios = [a / b for a, b in pairs]
        low, _, high = quantiles(ratios, n=4) if warm else ratios * 3
        benchmark.extra_info.update(rival=rival, ratio=median(ratios), target=target)
        benchmark.pedantic(lambda: jax.block_until_ready(ours()), rounds=1, iterations=1)
        LINES.append(
            Line(
                request.node.name,
                rival,
                cold,
                median(a for a, _ in pairs),
                median(b for _, b in pairs),
                median(ratios),
                low,
                high,
                target,
                "s",
            )
        )
        return median(ratios)

    return compare


@pytest.fixture
def amounts(benchmark, request):
    """Compare two amounts that are not times: `amounts(ours, theirs, "direct", 0.2, "B")`."""

    def compare(ours: float, theirs: float, rival: str, target: float | None, unit: str):
        ratio = ours / theirs
        benchmark.extra_info.update(rival=rival, ratio=ratio, target=target, unit=unit)
        benchmark.pedantic(lambda: None, rounds=1, iterations=1)
        name = request.node.name
        LINES.append(Line(name, rival, None, ours, theirs, ratio, ratio, ratio, target, unit))
        return ratio

    return compare


def pytest_terminal_summary(terminalreporter):
    """The table of ratios; below 1 attrax is faster, or smaller."""
    if not LINES:
        return
    write = terminalreporter.write_line
    terminalreporter.section("attrax / rival: median of pairwise ratios")
    write(
        f"{'benchmark':58} {'rival':22} {'cold':>9} {'attrax':>11} {'rival':>11} ratio [quartiles]"
    )
    for line in LINES:
        cold = "" if line.cold is None else _amount(line.cold, line.unit)
        goal = "" if line.target is None else f" target {line.target:g}"
        met = "" if line.target is None else (" met" if line.ratio <= line.target else " NOT MET")
        write(
            f"{line.name:58} {line.rival:22} {cold:>9} {_amount(line.ours, line.unit):>11} "
            f"{_amount(line.theirs, line.unit):>11} {line.ratio:.3f} "
            f"[{line.low:.3f}, {line.high:.3f}]{goal}{met}"
        )


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1e3:.2f} ms"
    return f"{value / 2**20:.2f} MiB" if unit == "B" else f"{value:.3g} {unit}"


@pytest.fixture(scope="session")
def torch():
    """PyTorch, with as many threads as there are cores."""
    return pytest.importorskip("torch", reason="PyTorch is not installed: run `make rivals`")


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Fashion-MNIST's training images, or the sample that ships."""
    from attrax import data

    try:
        return data.load("fashion-mnist").x
    except data.DatasetNotFoundError:
        return data.load("sample").x
