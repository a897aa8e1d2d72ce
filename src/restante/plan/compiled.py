"""Functions compiled to machine code at their first call: the one place that knows numba's untyped decorator."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The same function, compiled for the types of its first call and kept on disk beside its source."""
    return cast(Function, numba.njit(cache=True)(function))
