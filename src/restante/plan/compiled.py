"""Functions compiled to machine code at their first call: the one place that knows numba's untyped decorator.

What was compiled is kept on disk. The library looks only at the file of a function to see whether it changed, but into
a function goes the code of those it calls in other files. So it is kept apart for each state of all of planning.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The same function, compiled for the types of its first call and kept on disk."""
    return cast(Function, numba.njit(cache=True)(function))


def inner(function: Function) -> Function:
    """Machine code that only compiled functions call, and that makes no array, so that nobody's holds are counted.

    Without that count, and with no way in from Python, there is less to compile.
    """
    return _of_any_number(function, counts_holds=False)


def holding(function: Function) -> Function:
    """Machine code that only compiled functions call, but that makes arrays of its own."""
    return _of_any_number(function, counts_holds=True)


def _of_any_number(function: Function, *, counts_holds: bool) -> Function:
    """One machine code for all numbers: the library would make another for each that is written out in a call."""
    njit, types = cast(Any, numba.njit), cast(Any, numba).types
    made = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=counts_holds)(function)
    template_for = made.get_call_template

    def template(args: Sequence[Any], kws: dict[str, Any]) -> Any:
        return template_for(tuple(types.unliteral(one) for one in args), kws)

    made.get_call_template = template
    return cast(Function, made)


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
