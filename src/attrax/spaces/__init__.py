"""Spaces: a store and one query as a dynamical system."""
