"""What is counted on the way of every batch and request, and that names stay within their bounds."""

from restante.core.ids import Lane, OrgId
from restante.core.refusals import Refusal
from restante.hub.engine import Accepted
from restante.hub.measures import MOST_LANES, MOST_READERS, OTHER_LANES, READER_SECONDS, Batches, Readers, Spread
from restante.hub.metrics.figures import AGES, by_age
from restante.store.ledger import StoreDown


def test_a_value_counts_at_the_first_bound_that_holds_it() -> None:
    """Given bounds, when values at, under and above them are added, then each lies where Prometheus looks for it."""
    spread = Spread((1, 2, 5))
    for value in (0.5, 1, 1.5, 5, 6):
        spread.add(value)
    assert spread.counts == [2, 1, 1, 1]
    assert spread.total == 14


def test_a_batch_counts_what_its_commands_came_to() -> None:
    """Given a batch of everything, and a queue that was full, then each outcome is counted once, by its name."""
    batches = Batches()
    batches.note(Lane(1), [Accepted(), Refusal("no-room"), StoreDown(), Accepted()], 0.25)
    batches.turn_away(3)
    assert (batches.accepted, batches.refusals, batches.faults) == (2, {"no-room": 1, "busy": 3}, {"StoreDown": 1})
    assert (batches.sizes[1].total, batches.seconds[1].total) == (4, 0.25)


def test_lanes_without_end_are_few_names() -> None:
    """Given more lanes than are counted apart, then the rest count as one, and those known before go on."""
    batches = Batches()
    for lane in (*range(MOST_LANES + 50), 0):
        batches.note(Lane(lane), [Accepted()], 0.0)
    assert len(batches.sizes) == len(batches.seconds) == MOST_LANES + 1
    assert batches.sizes[OTHER_LANES].total == 50
    assert batches.sizes[0].total == 2


def test_the_last_reader_of_the_hour_is_told_of() -> None:
    """Given readers at several places, then the one furthest behind counts, until it is silent for an hour."""
    now = [0.0]
    readers = Readers(clock=lambda: now[0])
    heads = {Lane(0): 100, Lane(1): 7}
    assert readers.behind(heads) == {}
    readers.note(OrgId("slow"), {Lane(0): 10})
    now[0] = READER_SECONDS
    readers.note(OrgId("swift"), {Lane(0): 99, Lane(1): 9})
    assert readers.behind(heads) == {0: 90, 1: 7}
    now[0] += 1
    assert readers.behind(heads) == {0: 1, 1: 0}


def test_no_more_readers_are_kept_than_there_is_room_for() -> None:
    """Given more organisations than are kept, then the one heard of longest ago goes."""
    readers = Readers(clock=lambda: 0.0)
    for number in range(MOST_READERS + 1):
        readers.note(OrgId(f"o{number}"), {Lane(0): number})
    assert readers.behind({Lane(0): MOST_READERS}) == {0: MOST_READERS - 1}


def test_ages_are_counted_from_their_bound_up() -> None:
    """Given ages at and around the bounds, then each counts under the largest bound it has reached."""
    assert by_age([-1, 0, 59.9, 60, 3_600, 10**9]) == dict(zip(AGES, (3, 1, 0, 1, 0, 1), strict=True))
