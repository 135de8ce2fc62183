"""`attrax list` and `attrax reproduce`: the systems of the literature."""

import argparse
import json
import os
import sys
import textwrap
from typing import Any

from .. import papers
from ..papers import show
from .terminal import Painter, width
from .wrong import WrongCall, checked_folder, nearest, wrong_calls

_LEGEND = (
    "Counts are of claims in the last full run. Not every claim of a paper is expected to hold: "
    "one that differs lies outside its bound for a reason that was measured, one that is not "
    "decided lies within two standard errors of it, and one that was not run needs more than a "
    "laptop. `attrax reproduce SLUG` says which, and why."
)


def list_systems(as_json: bool) -> int:
    """Print the systems, and how many of their claims have which verdict."""
    found = papers.systems()
    if as_json:
        print(json.dumps([system._asdict() for system in found], ensure_ascii=False))
        return 0
    paint, columns = Painter(sys.stdout), width()
    for system in found:
        counts = show.counted(system.verdicts, paint) or "not recorded yet"
        print(f"{system.slug}: {counts}")
        print(textwrap.fill(system.title, columns, initial_indent="  ", subsequent_indent="  "))
    print("\n" + textwrap.fill(_LEGEND, columns, break_on_hyphens=False))
    return 0


def reproduce(args: argparse.Namespace) -> int:
    """Check the claims of the systems that a call names."""
    slugs = _chosen(args)
    if args.profile not in papers.PROFILES:
        raise WrongCall(f"--profile is {args.profile!r}; it must be {' or '.join(papers.PROFILES)}")
    out = checked_folder(args.out)
    if args.data is not None:
        _check_data(args.data)
    from ..compilation import enable_compilation_cache
    from ..papers.pool import reproduce_all

    jobs = args.jobs or os.cpu_count() or 1
    options = {"profile": args.profile, "data": args.data, "seed": args.seed, "out": out}
    # Standard output holds the JSON alone; who watches a terminal sees claims all the same.
    stream = sys.stderr if args.json else sys.stdout
    report = _Lines(stream, len(slugs) > 1) if not args.json or stream.isatty() else None
    if report is not None:
        report.begin(slugs, args.profile)
    failed = False
    with wrong_calls(OSError, ModuleNotFoundError):
        for result in reproduce_all(
            slugs, jobs, prepare=enable_compilation_cache, report=report, **options
        ):
            failed = failed or result.failed
            if args.json:
                print(json.dumps(result.content, ensure_ascii=False), flush=True)
            else:
                table = show.table(result.content, width(), Painter(sys.stdout))
                print(f"\n{table}\n\nwritten: {out / result.slug}\n", flush=True)
    return int(failed)


class _Lines:
    """Prints each claim as it is measured."""

    def __init__(self, stream: Any, several: bool):
        self._stream, self._several = stream, several
        self._paint = Painter(stream)

    def begin(self, slugs: list[str], profile: str) -> None:
        names = textwrap.fill(
            f"Measuring the claims of {', '.join(slugs)} ({profile}) ...", width()
        )
        print(names, file=self._stream, flush=True)

    def __call__(self, slug: str, claim: dict[str, Any], done: int, of: int) -> None:
        head = f"{slug} " if self._several else ""
        head += f"{done:>{len(str(of))}}/{of}  "
        line = show.line(claim, head, width(), self._paint)
        print(line, file=self._stream, flush=True)


def _chosen(args: argparse.Namespace) -> list[str]:
    names = [system.slug for system in papers.systems()]
    if args.all == bool(args.slugs):
        raise WrongCall("name the systems to reproduce, or --all, not both; see attrax list")
    for slug in args.slugs:
        if slug not in names:
            raise WrongCall(
                f"there is no system {slug!r}.{nearest(slug, names)} "
                f"`attrax list` names {', '.join(names)}"
            )
    return names if args.all else list(dict.fromkeys(args.slugs))


def _check_data(name: str) -> None:
    """Refuse a set that is unknown or not here, before anything is computed."""
    from ..data import load

    with wrong_calls(OSError, ValueError, ModuleNotFoundError):
        load(name, limit=1)
