"""Functions compiled to machine code at their first call: the one place that knows numba's untyped decorator."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The same function, compiled for the types of its first call and kept on disk beside its source."""
    return cast(Function, numba.njit(cache=True)(function))


def inner(function: Function) -> Function:
    """Machine code that only compiled functions call: with no way in from Python, it is made in half the time."""
    njit = cast(Any, numba.njit)
    return cast(Function, njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))
