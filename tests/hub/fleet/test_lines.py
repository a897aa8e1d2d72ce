"""Lines are found by what they are about, and forgotten when they are over."""

from typing import cast

from restante.core.ids import SourceId
from restante.hub.fleet import session
from restante.hub.fleet.line import Desk, Line, Outlet
from restante.hub.fleet.lines import Lines
from restante.hub.fleet.manifests import Held
from tests.hub.fleet.town import BANK, POINT, an_id

ELSEWHERE = SourceId(an_id(77))


def a_line(*, is_open: bool = True) -> Line:
    """A line that is in session, or whose source has said nothing yet."""
    line = Line(cast(Desk, None), cast(Outlet, None), session.Greeting("s", 0.0))
    if is_open:
        line.state = session.Open("s", BANK, POINT, 1, Held(), heard_s=0.0, pinged_s=0.0)
    return line


def test_lines_are_found_by_session_source_and_point() -> None:
    """Given two lines to a source and a stranger's, when looked for, then those in session are found, until dropped."""
    lines, first, second = Lines(), a_line(), a_line(is_open=False)
    for name, line in (("first", first), ("second", second)):
        lines.add(name, line)
        lines.place(name, BANK, POINT)
    lines.add("stranger", a_line(is_open=False))
    assert lines.at([POINT]) == lines.open() == [first]
    assert lines.states_of(BANK) == lines.states() == [first.state]
    assert lines.states_of(ELSEWHERE) == []
    assert lines.named(["second", "gone"]) == [second]
    assert [name for name, _ in lines] == ["first", "second", "stranger"]
    for name in ("first", "stranger", "never was"):
        lines.drop(name)
    assert (lines.at([POINT]), lines.open()) == ([], [])
    assert lines.named(["first", "second"]) == [second]


def test_a_line_that_is_over_is_placed_nowhere() -> None:
    """Given a line that ended while its source was looked up, when it is placed, then nobody finds it."""
    lines = Lines()
    lines.place("gone", BANK, POINT)
    assert lines.at([POINT]) == []
