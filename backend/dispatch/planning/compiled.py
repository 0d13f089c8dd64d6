"""The door to numba: with it the search's inner functions are compiled, without it the same source runs as plain Python, slower.

Both give the same plan for the same seed and the same number of moves.
"""

import importlib.util
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Args = ParamSpec("Args")
Result = TypeVar("Result")

IS_COMPILED = importlib.util.find_spec("numba") is not None


def compiled(function: Callable[Args, Result]) -> Callable[Args, Result]:
    """Compile a function of numbers and arrays at its first call; the machine code is kept beside the source or in the user's cache."""
    if not IS_COMPILED:
        return function
    from numba import njit

    try:
        compile_it: Callable[[Callable[Args, Result]], Callable[Args, Result]] = njit(cache=True, nogil=True, error_model="numpy")
        return compile_it(function)
    except RuntimeError:  # no place to write: each process compiles for itself
        compile_it = njit(nogil=True, error_model="numpy")
        return compile_it(function)
