"""What a courier, or staff, sees between two doors; the sentences stand in the catalogue, `restante.words`."""

from restante.core.bank import SourceKind
from restante.edge import permissions, screens
from restante.edge.inputs import Choice
from restante.edge.screens import Line, Screen
from restante.edge.state import State


def screen(state: State, *lines: Line) -> Screen:
    """The lines, what may be taken back, and that scanning goes on; for somebody without a round, the lines alone."""
    if state.round is None:
        return screens.round_open(*lines) if state.kind is SourceKind.COUNTER else Screen("help", lines)
    left = len(permissions.recalled_stays(state, state.round.org))
    if not left:
        return screens.round_open(*lines, choices=(Choice.CLOSE_ROUND.value,))
    waiting = Line.word("kiosk.round.take_back", count=left)
    return screens.round_open(*lines, waiting, choices=(Choice.TAKE_BACK.value, Choice.CLOSE_ROUND.value))
