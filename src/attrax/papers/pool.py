"""Systems side by side, each in a process of its own."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from typing import Any, NamedTuple

from .. import papers


class Report(NamedTuple):
    """What a process says of a system that it reproduced.

    - `slug`: the system.
    - `content`: what its `claims.json` holds.
    - `table`: the same as text.
    - `failed`: whether a claim should hold and does not.
    """

    slug: str
    content: dict[str, Any]
    table: str
    failed: bool


def reproduce_all(
    slugs: Sequence[str],
    jobs: int,
    *,
    prepare: Callable[[], Any] | None = None,
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
    - `options`: those of `reproduce`: profile, data, seed, out.
    """
    if jobs == 1 or len(slugs) == 1:
        if prepare is not None:
            prepare()
        yield from (report(slug, None, options) for slug in slugs)
        return
    seconds = {system.slug: system.seconds for system in papers.systems()}
    ordered = sorted(slugs, key=lambda slug: -seconds[slug])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(slugs)), context, prepare) as pool:
        running = [pool.submit(partial(report, slug, 1, options)) for slug in ordered]
        try:
            for future in as_completed(running):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def report(slug: str, threads: int | None, options: dict[str, Any]) -> Report:
    """Reproduce one system and say how it went."""
    result = papers.reproduce(slug, threads=threads, **options)
    return Report(slug, result.to_json(), result.table(), result.failed)
