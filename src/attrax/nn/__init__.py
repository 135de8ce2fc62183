"""Trainable layers for networks: associative memories as `equinox.Module`s, unbatched."""
