"""The command line: `attrax recall | restore | list | reproduce | info | help`.

Nothing here imports JAX before a command needs it, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from ..version import __version__
from . import wrong

_ABOUT = "Associative memory in JAX: store, retrieve, learn."
_ENDING = """\
exit status: 0 if all went well; 1 if a claim fails that should hold, or a
picture is not restored for sure; 2 for a wrong call

Compiled programs are kept in the user's cache directory, which makes a second
run faster; JAX_COMPILATION_CACHE_DIR chooses another place."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command of the command line.

    **Arguments:**

    - `argv`: the words after `attrax`; those of this process if `None`.

    **Returns:** the exit status: 0 if all went well; 1 if a claim fails that should hold, or a
    picture is not restored for sure; 2 for a wrong call, whose reason is one line on standard
    error.
    """
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        parser, commands = _parser()
        if words and not words[0].startswith("-"):
            _command(words[0], commands)
        args = parser.parse_args(words)
        return args.run(args)
    except wrong.WrongCall as error:
        print(f"attrax: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("attrax: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone; what Python would still flush has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and that of each command by its name."""
    form = argparse.RawDescriptionHelpFormatter
    parser = wrong.Parser(prog="attrax", description=_ABOUT, epilog=_ENDING, formatter_class=form)
    parser.add_argument("--version", action="version", version=f"attrax {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_recall(commands)
    _add_restore(commands)
    _add_list(commands)
    _add_reproduce(commands)
    _add_info(commands)
    command = commands.add_parser("help", help="what a command does, as --help after it")
    command.add_argument("topic", nargs="?", metavar="COMMAND", help="all of them if left out")
    command.set_defaults(run=lambda args: _help(args.topic, parser, commands.choices))
    return parser, commands.choices


def _command(word: str, commands: Mapping[str, argparse.ArgumentParser]) -> argparse.ArgumentParser:
    if word not in commands:
        raise wrong.WrongCall(
            f"there is no command {word!r}.{wrong.nearest(word, commands)} "
            f"The commands are {', '.join(commands)}"
        )
    return commands[word]


def _add_recall(commands) -> None:
    command = commands.add_parser(
        "recall",
        help="store real images, damage them, retrieve them, and draw the picture",
        description="Stores images, damages some of them in several ways, retrieves them and says "
        "how many came back: recalled exactly means that every pixel is right to within half a "
        "grey level. Writes DIR/recall.png and DIR/recall.json.",
        epilog="damages (default of --level): noise, Gaussian, standard deviation 0.5; salt, that "
        "share of pixels turned black or white, 0.3; drop, that share turned black, 0.5; half, "
        "the lower share missing and known to be missing, 0.5; frame, a border missing likewise, "
        "of half that share of the height, 0.5. Without --damage: noise, salt, drop and half.",
    )
    command.add_argument(
        "images",
        nargs="?",
        metavar="IMAGES",
        help="a folder of PNG, JPEG, GIF, WebP, BMP or TIFF images, or a .npy array (n, d), "
        "(n, H, W) or (n, H, W, C); without it, the 1000 pictures of clothes that ship with "
        "attrax",
    )
    command.add_argument(
        "--damage",
        action="append",
        metavar="KIND",
        help="noise, salt, drop, half or frame; may be given several times",
    )
    command.add_argument("--level", type=float, metavar="X", help="how much, for one --damage")
    command.add_argument(
        "--number", type=wrong.whole(1), metavar="N", help="store the first N images (default: all)"
    )
    command.add_argument(
        "--show",
        type=wrong.whole(1, 20),
        metavar="K",
        default=3,
        help="images a damage in the picture, up to 20 (default: 3)",
    )
    command.add_argument(
        "--size",
        type=wrong.size,
        metavar="P",
        help="bring the images of a folder to P × P pixels, or HxW, cropped about the centre; "
        "otherwise to the size of the first one, or to 128 pixels where that is larger",
    )
    command.add_argument(
        "--sequence",
        action="store_true",
        help="store the images as one sequence, in their order: the first one is damaged, and the "
        "others are replayed from it",
    )
    _add_common(command, "puts what recall.json holds on standard output, alone")
    command.set_defaults(run=_recall)


def _add_restore(commands) -> None:
    command = commands.add_parser(
        "restore",
        help="restore damaged pictures of yours from the clean ones",
        description="Stores the clean pictures, finds for each damaged one the clean one that it "
        "was, and writes what is restored to DIR, under the damaged file's name. Reads PNG, JPEG, "
        "GIF (its first frame), WebP, BMP and TIFF files. A file that cannot be used is named "
        "with the reason, and the others are restored all the same.",
        epilog="Pictures are compared pixel by pixel, so all must have one size: that of most "
        "clean ones. With --size every picture is first cropped about its centre, then scaled. "
        "Transparent parts count as white, 16 bits become 8, and pictures are in colour unless "
        "all clean ones are grey. Where holes are known, by --mask or --missing, the other pixels "
        "of a damaged picture are kept as they are; else it is restored as a whole. "
        "How sure a match is: the probability of the clean picture against the others and against "
        "none of them, if what differs is noise, times the share of clean pictures that lead by "
        "less when they are compared with the rest; sure is 95 % or more. "
        "Exit status: 0 if every picture was restored and is sure, 1 if not, 2 for a wrong call.",
    )
    command.add_argument("clean", metavar="CLEAN", help="a folder of pictures, or one file")
    command.add_argument("damaged", metavar="DAMAGED", help="a folder of pictures, or one file")
    holes = command.add_mutually_exclusive_group()
    holes.add_argument(
        "--mask",
        metavar="MASK",
        help="white where pixels are missing: one picture for all, or a folder of pictures named "
        "like the damaged ones",
    )
    holes.add_argument(
        "--missing",
        metavar="VALUE",
        help="what missing pixels look like: a grey level from 0 to 255, a colour such as black or "
        "'#ff00ff', or transparent; in JPEG files, which blur, up to 12 levels beside it",
    )
    command.add_argument(
        "--size", type=wrong.size, metavar="P", help="P × P pixels; or HxW: height × width"
    )
    command.add_argument(
        "--out", default="attrax-out", metavar="DIR", help="folder for files (default: attrax-out)"
    )
    command.add_argument(
        "--json",
        action="store_true",
        help="puts what restore.json holds on standard output, alone",
    )
    command.set_defaults(run=_restore)


def _add_list(commands) -> None:
    command = commands.add_parser(
        "list", help="the systems of the literature, and which of their claims hold"
    )
    command.add_argument("--json", action="store_true", help="prints an array of objects")
    command.set_defaults(run=_list)


def _add_info(commands) -> None:
    command = commands.add_parser(
        "info", help="versions, devices, cache and data sets, for bug reports"
    )
    command.add_argument("--json", action="store_true", help="prints one object")
    command.set_defaults(run=_info)


def _add_reproduce(commands) -> None:
    command = commands.add_parser(
        "reproduce",
        help="run the experiments of a publication and check its claims",
        description="Runs the experiments of publications, checks their claims, and writes "
        "DIR/SLUG/{claims.json, config.json, env.json, figure.png}. Each claim is printed as it is "
        "measured, then the whole table; in colour on a terminal (NO_COLOR and FORCE_COLOR are "
        "followed).",
    )
    command.add_argument(
        "slugs", nargs="*", metavar="SLUG", help="systems that `attrax list` names"
    )
    command.add_argument("--all", action="store_true", help="all of them")
    command.add_argument(
        "--profile",
        default="quick",
        metavar="quick|full",
        help="quick takes a minute, full as near the publication's sizes as a laptop can "
        "(default: quick)",
    )
    command.add_argument("--data", metavar="NAME", help="a data set of attrax.data.load")
    command.add_argument(
        "--jobs",
        type=wrong.whole(1, 1024),
        metavar="N",
        help="systems that run at a time, each in a process (default: the number of cores)",
    )
    _add_common(command, "puts what claims.json holds on standard output, alone, an object a line")
    command.set_defaults(run=_reproduce)


def _add_common(command, json_help: str) -> None:
    command.add_argument(
        "--seed",
        type=wrong.whole(0),
        default=0,
        metavar="N",
        help="of all random numbers (default: 0)",
    )
    command.add_argument(
        "--out", default="attrax-out", metavar="DIR", help="folder for files (default: attrax-out)"
    )
    command.add_argument("--json", action="store_true", help=json_help)


def _recall(args: argparse.Namespace) -> int:
    if args.sequence:
        from .replay import run
    else:
        from .recall import run

    return run(args)


def _restore(args: argparse.Namespace) -> int:
    from .restore import run

    return run(args)


def _list(args: argparse.Namespace) -> int:
    from .systems import list_systems

    return list_systems(args.json)


def _reproduce(args: argparse.Namespace) -> int:
    from .systems import reproduce

    return reproduce(args)


def _info(args: argparse.Namespace) -> int:
    from .machine import info

    return info(args.json)


def _help(topic: str | None, parser: argparse.ArgumentParser, commands: Mapping) -> int:
    (parser if topic is None else _command(topic, commands)).print_help()
    return 0
