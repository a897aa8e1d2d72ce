"""The account of a day: three witnesses that agree, and each way in which one of them may not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from restante.core.bank import SourceKind
from restante.edge.person import Person
from restante.sim.demo.account import Account, Told, _by_machine, as_lines, compare_parcels, missing, told_by_people
from restante.sim.demo.ground import Deed, Ground, Item, Role, Spot
from restante.sim.demo.lines import Line
from restante.store.postgres import PostgresLedger

BANK, OTHER = "bank-a", "bank-b"
WAY = (Deed(BANK, 4, "in", "courier", 1.0), Deed(BANK, 4, "out", "recipient", 2.0))


def ground(*deeds: Deed, ended: str = "collected") -> Ground:
    """One parcel, and what people did with it."""
    found = Ground()
    found.add(Item("R-1", "satama", "a@homes.example", Role.COLLECTS, 1, id="p", code="ABCD1234", deeds=list(deeds)))
    found.items["p"].ended = ended
    return found


class Rows:
    """A ledger in which no parcel is known, or that is not asked."""

    async def parcels(self, _: Any) -> dict[str, Any]:
        """None."""
        return {}


async def findings(people: Ground, hub: Told, machines: Told) -> list[str]:
    """What is found wrong, but for the ledger's own word."""
    wrong: list[str] = []
    tellers = {"API": hub, "machines": machines, "people": told_by_people(people)}
    await compare_parcels(cast(PostgresLedger, Rows()), people, tellers, wrong=wrong)
    return [line for line in wrong if "ledger say" not in line]


def told(*deeds: Deed) -> Told:
    """A witness who tells of these deeds."""
    return Told({"p": _by_machine([(deed.source, deed.way, deed.door, deed.by) for deed in deeds])})


async def test_witnesses_who_agree_leave_nothing_to_say() -> None:
    """The same deeds told three times are in agreement."""
    assert await findings(ground(*WAY), told(*WAY), told(*WAY)) == []


OTHERWISE = {
    "a deed is missing": WAY[:1],
    "another door": (Deed(BANK, 5, "in", "courier", 1.0), WAY[1]),
    "another machine": (Deed(OTHER, 4, "in", "courier", 1.0), WAY[1]),
    "another's hands": (WAY[0], Deed(BANK, 4, "out", "courier", 2.0)),
    "twice": (*WAY, *WAY),
    "backwards": WAY[::-1],
    "never": (),
}


@pytest.mark.parametrize("deeds", OTHERWISE.values(), ids=OTHERWISE)
@pytest.mark.parametrize("who", ["hub", "machines", "people"])
async def test_any_witness_who_tells_it_otherwise_is_found(who: str, deeds: tuple[Deed, ...]) -> None:
    """A deed missing, elsewhere, by others, twice or in another order is one disagreement about the parcel."""
    accounts = {name: deeds if name == who else WAY for name in ("hub", "machines", "people")}
    [line] = await findings(ground(*accounts["people"]), told(*accounts["hub"]), told(*accounts["machines"]))
    assert line.startswith("ABCD1234 (collects):")


async def test_the_order_between_machines_does_not_matter() -> None:
    """What happened at two machines may be told in either order; within one, order counts."""
    there = (Deed(OTHER, 1, "in", "courier", 0.0), Deed(OTHER, 1, "out", "courier", 0.5))
    assert await findings(ground(*there, *WAY), told(*WAY, *there), told(*there, *WAY)) == []


async def test_a_parcel_that_only_a_machine_knows_is_found() -> None:
    """A machine that tells of a parcel nobody carried has invented it."""
    machines = told(*WAY)
    machines.trails["ghost"] = machines.trails["p"]
    assert await findings(ground(*WAY), told(*WAY), machines) == [
        "the machines tell of a parcel ghost that nobody has seen"
    ]


def spot(tmp_path: Path) -> Spot:
    """A bank."""
    return Spot("RAU", "Rautatientori", SourceKind.BANK, "point", BANK, tmp_path, Line(1), Person(tmp_path))


def test_a_parcel_behind_anothers_door_is_a_breach(tmp_path: Path) -> None:
    """Two people's parcels behind one door of a bank are told at once, whatever the machines say."""
    people, bank = ground(), spot(tmp_path)
    other = Item("R-2", "satama", "b@homes.example", Role.COLLECTS, 1, id="q", code="EFGH5678")
    people.add(other)
    people.put(people.items["p"], bank, 4, by="courier")
    people.put(other, bank, 4, by="courier")
    assert people.breaches == ["EFGH5678 was put behind door 4 of Rautatientori, on ABCD1234"]


def test_what_was_never_there_cannot_be_taken(tmp_path: Path) -> None:
    """A parcel taken where it never was is a breach."""
    people = ground()
    people.take(people.items["p"], spot(tmp_path), by="recipient")
    assert people.breaches == ["ABCD1234 was taken at Rautatientori, where it never was"]


@pytest.mark.parametrize(("asked", "found"), [(None, 0), (1, 0), (500, 1), (0, 1)])
def test_a_day_that_lacks_parcels_has_failed(asked: int | None, found: int) -> None:
    """Given a day with one parcel, when another number was asked for, then that is a disagreement."""
    assert len(list(missing(asked, ground(*WAY)))) == found


def test_an_account_says_what_disagrees() -> None:
    """The lines for people end with the verdict, and name each disagreement before it."""
    plain = dict.fromkeys(Account.__struct_fields__, 0) | {
        "ended": {"collected": 1},
        "stages": {"collected": 1},
        "roles": {},
        "cases": {},
        "deposit_to_mail_ms": {"count": 2, "p50": 100, "p95": 200, "max": 210},
        "cut_off": ["Kaivopiha"],
        "disagreements": ["ABCD1234: …"],
    }
    lines = list(as_lines(cast(Account, SimpleNamespace(**plain))))
    assert "  disagrees: ABCD1234: …" in lines
    assert lines[-1].endswith("1 in disagreement.")
    assert any("p50 100 ms, p95 200 ms" in line for line in lines)
