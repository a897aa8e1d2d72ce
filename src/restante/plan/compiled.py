"""Functions compiled to machine code at their first call: the one place that knows numba's untyped decorator.

What was compiled is kept on disk. The library looks only at the file of a function to see whether it changed, but into
a function goes the code of those it calls in other files. So it is kept apart for each state of all of planning.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The same function, compiled for the types of its first call and kept on disk."""
    return cast(Function, numba.njit(cache=True)(function))


def inner(function: Function) -> Function:
    """Machine code that only compiled functions call: with no way in from Python, it is made in half the time."""
    njit = cast(Any, numba.njit)
    return cast(Function, njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


def state_of(folder: Path) -> str:
    """Twelve digits that differ when a source below the folder does."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)} ".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


# A folder of the user's own (NUMBA_CACHE_DIR) stays; one that cannot be written to is passed over by the library.
_CONFIG = cast(Any, numba).config
if not _CONFIG.CACHE_DIR:
    _HERE = Path(__file__).parent
    _CONFIG.CACHE_DIR = str(_HERE / "__pycache__" / f"compiled-{state_of(_HERE)}")
