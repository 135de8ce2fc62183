"""`attrax list` and `attrax reproduce`: the systems of the literature."""

import argparse
import json
import os

from .. import papers
from .wrong import WrongCall, checked_folder, wrong_calls


def show() -> int:
    """Print the systems, and claims held / all of the last full run."""
    found = papers.systems()
    width = max([len(system.slug) for system in found] + [len("system")])
    print(f"{'system':<{width}}  held/claims  what it is")
    for system in found:
        print(f"{system.slug:<{width}}  {f'{system.held}/{system.claims}':>11}  {system.title}")
    print(
        "\nCounts are from the last full run. A claim that does not hold differs for a measured "
        "reason,\nis not decided, was not run, or fails; attrax reproduce SLUG says which and why."
    )
    return 0


def reproduce(args: argparse.Namespace) -> int:
    """Check the claims of the systems that a call names."""
    slugs = _chosen(args)
    if args.profile not in papers.PROFILES:
        raise WrongCall(f"--profile is {args.profile!r}; it must be {' or '.join(papers.PROFILES)}")
    out = checked_folder(args.out)
    if args.data is not None:
        _check_data(args.data)
    from ..papers.pool import reproduce_all
    from .machine import use_cache

    jobs = args.jobs or os.cpu_count() or 1
    options = {"profile": args.profile, "data": args.data, "seed": args.seed, "out": out}
    failed = False
    with wrong_calls(OSError, ModuleNotFoundError):
        for report in reproduce_all(slugs, jobs, prepare=use_cache, **options):
            failed = failed or report.failed
            if args.json:
                print(json.dumps(report.content, ensure_ascii=False), flush=True)
            else:
                print(f"{report.table}\n\nwritten: {out / report.slug}\n", flush=True)
    return int(failed)


def _chosen(args: argparse.Namespace) -> list[str]:
    names = [system.slug for system in papers.systems()]
    if args.all == bool(args.slugs):
        raise WrongCall("name the systems to reproduce, or --all, not both; see attrax list")
    for slug in args.slugs:
        if slug not in names:
            raise WrongCall(f"there is no system {slug!r}; `attrax list` names {', '.join(names)}")
    return names if args.all else list(dict.fromkeys(args.slugs))


def _check_data(name: str) -> None:
    """Refuse a set that is unknown or not here, before anything is computed."""
    from ..data import load

    with wrong_calls(OSError, ValueError, ModuleNotFoundError):
        load(name, limit=1)
