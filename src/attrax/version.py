"""The one place where attrax's version is written, and the versions of what it stands on."""

import importlib
from importlib import metadata

__version__ = "0.1.0"


def installed_version(name: str) -> str | None:
    """The version of a package; `None` if it is not there.

    A package on the path without metadata, such as a copy of its sources, is asked itself.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    try:
        module = importlib.import_module(name)
    except ImportError:
        return None
    return str(vars(module).get("__version__", "unknown"))
