"""`attrax list` and `attrax reproduce`: the systems of the literature."""

import argparse
import json

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
        "\nOf the last full run. A claim that does not hold differs for a measured reason, was not "
        "run,\nor fails; attrax reproduce SLUG says which and why, and --all runs every system."
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
    from .machine import use_cache

    use_cache()
    failed = False
    for slug in slugs:
        with wrong_calls(OSError, ModuleNotFoundError):
            found = papers.reproduce(
                slug, profile=args.profile, data=args.data, seed=args.seed, out=out
            )
        failed = failed or found.failed
        if args.json:
            print(json.dumps(found.to_json(), ensure_ascii=False), flush=True)
        else:
            print(f"{found.table()}\n\nwritten: {out / slug}", flush=True)
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
