"""Where machine code is kept, so that none of an earlier state of the sources is ever run."""

from pathlib import Path
from typing import Any, cast

import numba

from restante.plan.compiled import compiled, inner, state_of


@compiled
def _doubled(number: int) -> int:
    return 2 * number


@inner
def _moved(pair: tuple[int, int], by: int) -> int:
    return pair[0] + pair[1] + by


def test_numbers_written_out_make_no_other_code() -> None:
    """Given an inner function, when it is called with numbers written out, then one machine code serves all."""

    def calls(number: int) -> int:
        return _moved((number, 0), 1) + _moved((0, 1), -1) + _moved((number, number), number)

    assert cast(Any, numba.njit)(calls)(5) == 21
    assert len(cast(Any, _moved).signatures) == 1


def test_compiled_functions_do_what_they_say() -> None:
    """Given a compiled function, when it is called, then it answers as in Python."""
    assert _doubled(21) == 42


def test_code_is_kept_by_the_state_of_all_sources(tmp_path: Path) -> None:
    """Given sources, when one below them changes, comes or goes, then their state is another; else it is the same."""
    one, other = tmp_path / "one.py", tmp_path / "deep" / "other.py"
    other.parent.mkdir()
    states = [state_of(tmp_path)]
    for path, text in ((one, "a"), (other, "b"), (other, "c"), (one, "c")):
        path.write_text(text)
        states.append(state_of(tmp_path))
    (tmp_path / "notes.txt").write_text("not a source")
    assert state_of(tmp_path) == states[-1]
    one.unlink()
    states.append(state_of(tmp_path))
    assert len(set(states)) == len(states) == 6


def test_the_library_is_told_where() -> None:
    """Given planning, when it is imported, then code is kept below it under the state that its sources are in."""
    planning = Path(compiled.__code__.co_filename).parent
    assert cast(Any, numba).config.CACHE_DIR.endswith(f"compiled-{state_of(planning)}")
