"""Arrays filled up with zeros to one of few shapes, so that few programs serve all."""

import numpy as np

# The least size, and the size from which multiples of it are taken.
_LEAST, _LARGE = 16, 4096


def fill_up(array: np.ndarray, *shape: int) -> np.ndarray:
    """Zeros up to a shape of the last axes; axes that are as long or longer stay as they are."""
    wanted = array.shape[: array.ndim - len(shape)] + shape
    more = [max(size - own, 0) for own, size in zip(array.shape, wanted, strict=True)]
    return np.pad(array, [(0, count) for count in more])


def next_power(count: int, base: int = 2) -> int:
    """The least of 16, 16 base, 16 base² ... that is no less than a count."""
    size = _LEAST
    while size < count:
        size *= base
    return size


def next_size(count: int) -> int:
    """The next of these with base 2, or the next multiple of 4096."""
    return next_power(count) if count <= _LARGE else -(-count // _LARGE) * _LARGE
