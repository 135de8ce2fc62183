"""Stores: what is kept, and what `attrax.retrieve` may ask of it."""

from ..spaces.store import AbstractStore as AbstractStore
