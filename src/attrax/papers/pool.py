"""Systems side by side, each in a process of its own."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

from .. import papers

# Seconds between two looks at what processes have measured.
_PAUSE = 0.1
# In a process of the pool: where it says what it has measured.
_claims: Any = None


class Report(NamedTuple):
    """What a process says of a system that it reproduced.

    - `slug`: the system.
    - `content`: what its `claims.json` holds.
    - `failed`: whether a claim should hold and does not.
    """

    slug: str
    content: dict[str, Any]
    failed: bool


def reproduce_all(
    slugs: Sequence[str],
    jobs: int,
    *,
    prepare: Callable[[], Any] | None = None,
    report: Callable[[str, dict[str, Any], int, int], None] | None = None,
    **options: Any,
) -> Iterator[Report]:
    """Reproduce systems, some at a time, and give each one's report as it ends.

    With one job they run in this process, one after another in the order given, each with a
    thread a core. With more, every process has one thread, and systems that took longest in their
    last full run go first.

    **Arguments:**

    - `slugs`: which systems.
    - `jobs`: how many processes, ≥ 1.
    - `prepare`: called once in each process.
    - `report`: called in this process with each claim as it is measured: its system, an entry of
      `claims`, how many claims are done, and how many there are.
    - `options`: those of `reproduce`: profile, data, seed, out.
    """
    if jobs == 1 or len(slugs) == 1:
        if prepare is not None:
            prepare()
        yield from (run_one(slug, None, report, options) for slug in slugs)
        return
    seconds = {system.slug: system.seconds for system in papers.systems()}
    ordered = sorted(slugs, key=lambda slug: -seconds[slug])
    context = multiprocessing.get_context("spawn")
    # Writing to it waits until it is written, so a claim is here before its system's report.
    claims = context.SimpleQueue()
    with ProcessPoolExecutor(min(jobs, len(slugs)), context, _begin, (claims, prepare)) as pool:
        running = {pool.submit(partial(run_one, slug, 1, _send, options)) for slug in ordered}
        try:
            while running:
                done, running = wait(running, _PAUSE, FIRST_COMPLETED)
                while not claims.empty():
                    claim = claims.get()
                    if report is not None:
                        report(*claim)
                yield from (future.result() for future in done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_one(
    slug: str, threads: int | None, report: Callable | None, options: dict[str, Any]
) -> Report:
    """Reproduce one system and say how it went."""
    each = None if report is None else partial(_pass_on, report, slug)
    result = papers.reproduce(slug, threads=threads, report=each, **options)
    return Report(slug, result.to_json(), result.failed)


def _pass_on(report: Callable, slug: str, claim, done: int, of: int) -> None:
    report(slug, asdict(claim), done, of)


def _begin(claims: Any, prepare: Callable[[], Any] | None) -> None:
    """What each process of the pool does first."""
    global _claims
    _claims = claims
    if prepare is not None:
        prepare()


def _send(*claim: Any) -> None:
    _claims.put(claim)
