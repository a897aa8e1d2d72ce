"""The emulated steel: how doors move, what sensors say of them, and how a board misbehaves."""

from hypothesis import given, settings
from hypothesis import strategies as st

from restante.edge.boards.steel import (
    Board,
    Closed,
    Deed,
    Input,
    Knobs,
    Lock,
    Open,
    Opening,
    Released,
    Tick,
    Touch,
    Trouble,
    Unlock,
    board_of,
    next_change_ms,
    sense,
    step,
    touched,
)
from restante.edge.drivers.port import UNSEEN, Accepted, Door, DoorChanged, DoorReading, Item, NoAck, Rejected

OPEN_EMPTY = DoorReading(Door.OPEN, Item.NO)
CLOSED_EMPTY = DoorReading(Door.CLOSED, Item.NO)


def after(board: Board, *events: Input, now_ms: int = 0) -> Board:
    """The board after these events, all at one moment."""
    for event in events:
        board, _ = step(board, event, now_ms)
    return board


def test_an_unlocked_door_springs_open_after_a_moment() -> None:
    """Given a closed door, when it is unlocked, then it reads closed until the spring has done its work."""
    board, outputs = step(board_of(2), Unlock(1), 1_000)
    assert outputs == (Accepted(),)
    assert (board.locks[0].leaf, next_change_ms(board)) == (Opening(1_120), 1_120)
    assert step(board, Tick(), 1_119) == (board, ())
    board, outputs = step(board, Tick(), 1_120)
    assert outputs == (DoorChanged(1, OPEN_EMPTY),)
    assert next_change_ms(board) is None


def test_a_jammed_lock_accepts_and_stays_shut() -> None:
    """Given a jammed lock, when it is unlocked and pulled, then the board accepts and the door stays shut."""
    board = after(board_of(1), Touch(1, Deed.JAM))
    board, outputs = step(board, Unlock(1), 0)
    assert outputs == (Accepted(),)
    assert after(board, Touch(1, Deed.PULL), Tick(), now_ms=9_000).locks == (Lock(Closed(), Trouble.JAMMED),)


def test_a_mended_lock_opens_again() -> None:
    """Given a jammed lock, when it is mended and unlocked, then it opens."""
    board = after(board_of(1), Touch(1, Deed.JAM), Touch(1, Deed.MEND), Unlock(1))
    assert after(board, Tick(), now_ms=500).locks == (Lock(Open()),)


def test_a_blocked_door_needs_a_pull() -> None:
    """Given a door held shut, when it is unlocked, then it reads closed until somebody pulls; a push bolts it again."""
    board = after(board_of(1), Touch(1, Deed.BLOCK), Unlock(1), Tick(), now_ms=9_000)
    assert (board.locks[0].leaf, sense(board)[1]) == (Released(), CLOSED_EMPTY)
    assert touched(board.locks[0], Deed.PULL).leaf == Open()
    assert touched(board.locks[0], Deed.PUSH).leaf == Closed()


def test_a_door_pushed_shut_while_it_opens_stays_shut() -> None:
    """Given a door about to spring, when somebody pushes it, then it never reads open."""
    board = after(board_of(1), Unlock(1), Touch(1, Deed.PUSH))
    assert step(board, Tick(), 9_000) == (board, ())


def test_only_an_open_compartment_takes_or_gives_a_parcel() -> None:
    """Given a closed door, when a parcel is put, then nothing happens; given an open one, then the item is sensed."""
    assert touched(Lock(), Deed.PUT) == Lock()
    full = touched(Lock(Open()), Deed.PUT)
    assert full.has_item
    assert touched(touched(full, Deed.PUSH), Deed.TAKE).has_item
    assert not touched(full, Deed.TAKE).has_item


def test_sensors_may_lie_or_be_blind() -> None:
    """Given lying and blind sensors, then they say the opposite or nothing, and the others tell the truth."""
    knobs = Knobs(lying_doors=frozenset({1}), lying_items=frozenset({2}), blind_doors=frozenset({3}))
    assert sense(after(board_of(4), knobs)) == {
        1: OPEN_EMPTY,
        2: DoorReading(Door.CLOSED, Item.YES),
        3: UNSEEN,
        4: CLOSED_EMPTY,
    }


def test_without_power_a_board_says_nothing_and_moves_nothing_but_people_do() -> None:
    """Given no power, when unlocked, then NoAck; a door forced meanwhile is seen only once power is back."""
    board = after(board_of(1), Knobs(powered=False))
    assert step(board, Unlock(1), 0) == (board, (NoAck(),))
    board, outputs = step(board, Touch(1, Deed.FORCE), 0)
    assert (outputs, sense(board)) == ((), {1: UNSEEN})
    board, outputs = step(board, Knobs(), 0)
    assert (outputs, sense(board)) == ((), {1: OPEN_EMPTY})


def test_a_door_beyond_the_board_is_rejected() -> None:
    """Given one door, when door 2 or 0 is unlocked, then it is rejected."""
    assert [step(board_of(1), Unlock(door), 0)[1] for door in (0, 2)] == [(Rejected("unknown-door"),)] * 2


events = st.one_of(
    st.builds(Unlock, st.integers(1, 3)),
    st.builds(Touch, st.integers(1, 3), st.sampled_from(Deed)),
    st.builds(Knobs, powered=st.booleans(), acknowledges=st.booleans()),
    st.just(Tick()),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(events, st.integers(0, 300)), max_size=40))
def test_changes_told_add_up_to_what_is_sensed(history: list[tuple[Input, int]]) -> None:
    """For any history with power: whoever folds the changes sees what the sensors say; an unlock gets one answer."""
    board, now_ms, told = board_of(3), 0, {1: Door.CLOSED, 2: Door.CLOSED, 3: Door.CLOSED}
    for event, wait_ms in history:
        now_ms += wait_ms
        had_power = board.knobs.powered
        board, outputs = step(board, event, now_ms)
        changes = [output for output in outputs if isinstance(output, DoorChanged)]
        assert len(outputs) - len(changes) == isinstance(event, Unlock)
        told |= {change.door: change.reading.door for change in changes}
        if not had_power:
            told = {door: reading.door for door, reading in sense(board).items()}
        assert not board.knobs.powered or told == {door: reading.door for door, reading in sense(board).items()}


def test_a_pulse_on_a_door_that_is_not_bolted_changes_nothing() -> None:
    """Given a door that stands open, is about to spring, or is released, when pulsed again, then it stays as it is."""
    for leaf in (Open(), Opening(500), Released()):
        board = Board((Lock(leaf),))
        after_it, outputs = step(board, Unlock(1), 100)
        assert (after_it, outputs[0]) == (board, Accepted())


def test_a_jammed_lock_stays_shut_also_where_it_was_bolted_before() -> None:
    """Given a jammed lock, when it is pulsed, then its leaf is the one it had."""
    board = Board((Lock(Closed(), Trouble.JAMMED),))
    assert step(board, Unlock(1), 0)[0] == board


def test_the_door_that_springs_first_is_waited_for() -> None:
    """Given two doors about to spring, then the earlier time is the one to wait for."""
    assert next_change_ms(Board((Lock(Opening(900)), Lock(), Lock(Opening(300))))) == 300


def test_a_touch_is_of_its_own_door_alone() -> None:
    """Given three doors, when the middle one is forced, then the others stay shut."""
    forced = after(board_of(3), Touch(2, Deed.FORCE))
    assert [lock.leaf for lock in forced.locks] == [Closed(), Open(), Closed()]
