"""Stores: what is kept, and what `attrax.retrieve` asks of it."""
