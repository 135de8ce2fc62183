"""The one place where attrax's version is written."""

__version__ = "0.1.0"
