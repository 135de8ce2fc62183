"""`jitted(function, *arguments)`: a call compiled as one program, not as one for each operation.

What is an array may change from call to call; all else, and the function itself, is part of the
program, so that functions should stand at the top of a file.
"""

import equinox as eqx


@eqx.filter_jit
def jitted(function, *arguments, **options):
    return function(*arguments, **options)
