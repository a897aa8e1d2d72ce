"""`restante prove`: what runs for long to show that nothing is lost."""

import sys
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from restante.cli.ending import Stop

Part = Literal["sim", "bugs", "kill", "failover", "upgrade"]


class Wish(msgspec.Struct, frozen=True):
    """What was asked of a proof; None where nothing was."""

    minutes: float | None
    seeds: str | None
    processes: int | None
    shrink: int | None
    blind_spots: bool = False
    json: bool = False


def prove(
    part: Annotated[Part, Parameter(help="What to prove.")] = "sim",
    *,
    minutes: Annotated[float | None, Parameter(help="For how long; a minute if nothing is said.")] = None,
    seeds: Annotated[str | None, Parameter(help="Which seeds, as 1-300; of sim and failover.")] = None,
    processes: Annotated[int | None, Parameter(help="On how many cores; all if nothing is said; of sim.")] = None,
    shrink: Annotated[int | None, Parameter(help="Find the smallest story in which this seed still fails.")] = None,
    blind_spots: Annotated[bool, Parameter(help="Tell which fault met which events, and which never; of sim.")] = False,
    json: Annotated[bool, Parameter(negative="", help="Print the account as one JSON document; of upgrade.")] = False,
) -> None:
    """Prove for long; the account is kept by what is proven, and a proof that was stopped goes on.

    sim runs the simulation seed after seed, and bugs shows that it catches those planted. kill runs the real programs
    and kills them: banks at every named moment, hub, worker and database under load; it also restores a hub from a
    backup, and ends by itself. failover kills real database servers under load and promotes their replicas. upgrade
    runs programs of the version before and of this one together, upgrades and goes back, and ends by itself too.
    """
    from restante.sim.prove import parse_seeds

    try:
        parse_seeds(seeds or "1")
    except ValueError:
        raise Stop("seeds-malformed", field="--seeds", rule="Seeds are a number or a span, as 7 or 1-300.") from None
    sys.exit(_PROOFS[part](Wish(minutes, seeds, processes, shrink, blind_spots, json)))


def _sim(wish: Wish) -> int:
    if wish.shrink is not None:
        from restante.sim.shrink import main as find_smallest

        return find_smallest(wish.shrink)
    from restante.sim.prove import main

    return main(minutes=wish.minutes, seeds=wish.seeds, processes=wish.processes, blind_spots=wish.blind_spots)


def _bugs(_: Wish) -> int:
    from restante.sim.catching import main

    return main()


def _kill(wish: Wish) -> int:
    from restante.sim.kill.prove import main

    return main(minutes=wish.minutes)


def _failover(wish: Wish) -> int:
    from restante.sim.failover import main

    return main(minutes=wish.minutes, seeds=wish.seeds)


def _upgrade(wish: Wish) -> int:
    from restante.sim.upgrade.prove import main

    return main(minutes=wish.minutes, json=wish.json)


_PROOFS: Final[dict[Part, Callable[[Wish], int]]] = {
    "sim": _sim,
    "bugs": _bugs,
    "kill": _kill,
    "failover": _failover,
    "upgrade": _upgrade,
}
