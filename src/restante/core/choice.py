"""Which compartment a parcel goes into: the smallest that leaves every other promise possible."""

from collections import Counter
from collections.abc import Mapping, Sequence

from restante.core.bank import Compartment, CompartmentState, RoomClass, parts, serves
from restante.core.reservation import is_feasible


def choose_compartment(
    states: Sequence[CompartmentState], wanted: RoomClass, others: Mapping[RoomClass, int]
) -> Compartment | None:
    """The compartment for a parcel that asks for ``wanted``: the smallest that leaves the other live grants feasible.

    ``others`` counts what the other live deposit grants ask for. Among compartments that serve, the one of the lowest
    rank with the fewest spare abilities comes first, then the lowest door. When every choice would break a promise the
    parcel in hand comes first, because a courier stands at the door: the caller journals that as a surprise.
    """
    free = [state for state in states if state.is_free and serves(state.compartment.room_class, wanted)]
    if not free:
        return None
    ranked = sorted(free, key=_thrift)
    supply = Counter[RoomClass]()
    for state in states:
        if state.is_free:
            supply[state.compartment.room_class] += state.compartment.capacity - state.parcels
    spoiling = set[RoomClass]()
    for state in ranked:
        taken = state.compartment.room_class
        if taken not in spoiling and is_feasible(supply - Counter({taken: 1}), others):
            return state.compartment
        spoiling.add(taken)
    return ranked[0].compartment


def _thrift(state: CompartmentState) -> tuple[int, int, int]:
    compartment = state.compartment
    return compartment.size, len(parts(compartment.room_class)[1]), compartment.door
