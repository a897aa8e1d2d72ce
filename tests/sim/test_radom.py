"""A day replayed through real processes: all witnesses agree on every order, and what cannot be read is refused."""

import json
import socket
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from restante.core.bank import RoomClass
from restante.core.reservation import is_feasible
from restante.edge.bank import ConfigWrong, SourceConfig
from restante.sim.demo.ground import Item, Role
from restante.sim.polish import (
    LETTERS,
    Instance,
    Locker,
    data_dir,
    instance_paths,
    next_best,
    read_instance,
    repeated,
    synthetic_instance,
    write_instance,
)
from restante.sim.radom import Wish, main, replay
from restante.sim.radom_account import REFUSED, UNACCOUNTED, Account, as_lines, as_plain, outcome_of
from restante.sim.radom_banks import read_configs, write_configs
from restante.sim.radom_day import Way
from restante.sim.radom_network import own_hub
from restante.sim.radom_plan import city_of, errands, point_plans, tours

TIMES = 4
SMALL = msgspec.structs.replace(
    synthetic_instance(Random(3), lockers=4, orders=7),
    lockers=(Locker(1, (2, 1, 1)), Locker(2, (8, 4, 3)), Locker(3, (2, 1, 1)), Locker(4, (0, 0, 0))),
)
"""Four lockers with 23 compartments, one of them with none at all: four times seven orders overflow them."""


def expected(instance: Instance) -> dict[str, int]:
    """What must become of the orders, by the rule of room alone: own locker, else the nearest by road, else nowhere."""
    supply = {one.number: {RoomClass(str(r)): count for r, count in enumerate(one.free)} for one in instance.lockers}
    asked: dict[int, dict[RoomClass, int]] = {one.number: {} for one in instance.lockers}

    def takes(locker: int, wanted: RoomClass) -> bool:
        more = {**asked[locker], wanted: asked[locker].get(wanted, 0) + 1}
        if not is_feasible(supply[locker], more):
            return False
        asked[locker] = more
        return True

    wants = [(order.locker, RoomClass(str(LETTERS.index(order.size)))) for order in instance.orders]
    refused = [(locker, wanted) for locker, wanted in wants if not takes(locker, wanted)]
    moved = sum(any(takes(other, wanted) for other in next_best(instance, locker)) for locker, wanted in refused)
    return {"own": len(wants) - len(refused), "moved": moved, "nowhere": len(refused) - moved}


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """The small day as a file."""
    path = tmp_path / "Radom_small.txt"
    path.write_bytes(write_instance(SMALL))
    return path


@pytest.mark.postgres
@pytest.mark.slow
def test_an_overflowing_day_ends_with_every_order_accounted_for(
    database: str, day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a day four times over, when it is replayed, then orders go where room sends them, and all agree."""
    folder = tmp_path / "replay"
    told = main(day, repeat=TIMES, banks_per_process=2, folder=folder, json=True, environ={"DATABASE_URL": database})
    account = json.loads(capsys.readouterr().out)
    assert (told, account["disagreements"], account["failures"]) == (0, [], [])
    rule = expected(repeated(SMALL, TIMES))
    assert min(rule.values()) > 0, "the day overflows, and has somewhere to go first"
    outcomes = account["outcomes"]
    assert sum(outcomes.values()) == account["orders"] == TIMES * len(SMALL.orders)
    assert sum(count for name, count in outcomes.items() if name.startswith("moved")) == rule["moved"]
    assert outcomes[REFUSED] == rule["nowhere"]
    assert set(account["refusals"]) == {"no-room", "never-fits"}
    assert account["deposits"] == account["withdrawals"] == rule["own"] + rule["moved"]
    assert account["stages"]["cancelled"] == rule["nowhere"]
    books = sorted((folder / "banks").glob("*/book.sqlite"))
    assert len(books) == len(SMALL.lockers)


@pytest.mark.postgres
@pytest.mark.slow
async def test_a_day_runs_on_a_hub_that_runs_already(database: str, tmp_path: Path) -> None:
    """Given a running hub, when a day is replayed on it twice, then neither day disturbs the other."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    environ, quiet = {"DATABASE_URL": database}, Console(quiet=True)
    few = msgspec.structs.replace(SMALL, orders=SMALL.orders[:3])
    async with own_hub(tmp_path / "first", environ, mail_port=port, kdf_n=2) as hub:
        state = tmp_path / "first" / "hub"
        for number in range(2):
            folder = tmp_path / f"day-{number}"
            wish = Wish(city="Radom", folder=folder, hub=hub.url, hub_state=state, mail_port=port)
            account = await replay(few, wish, environ=environ, notes=quiet)
            assert (account.disagreements, account.failures) == ([], [])
            assert sum(account.outcomes.values()) == 3


def test_a_malformed_instance_is_refused_by_line_field_and_rule(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an order of 99 kg, when the file is to be replayed, then nothing is imported and the line is named."""
    lines = day.read_text().split("\n")
    size, _, locker, way = lines[4].split()
    lines[4] = f"{size} 99 {locker} {way}"
    day.write_text("\n".join(lines))
    assert main(day, folder=tmp_path / "replay") == 1
    told = capsys.readouterr().err
    assert "instance-malformed" in told
    assert "line 5, weight: must be a whole number from 1 to 25" in told
    assert not (tmp_path / "replay").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(write_instance(SMALL)) - 1), wrong=st.sampled_from(list("x-.,é\0")))
def test_no_spoilt_file_starts_anything(day: Path, tmp_path: Path, at: int, wrong: str) -> None:
    """Given a file with one sign that no number has, when it is to be replayed, then nothing is started."""
    whole = write_instance(SMALL)
    day.write_bytes(whole[:at] + wrong.encode() + whole[at:])
    assert main(day, folder=tmp_path / "replay") == 1
    assert not (tmp_path / "replay").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"repeat": 0}, {"banks_per_process": 0}, {"hub": "http://127.0.0.1:1"}, {"mail_port": 25, "hub_state": Path()}],
)
def test_what_does_not_go_together_is_refused(wrong: dict[str, object], day: Path, tmp_path: Path) -> None:
    """Given wishes that make no sense, when a day is to be replayed, then nothing starts."""
    assert main(day, folder=tmp_path / "replay", **wrong) == 1  # type: ignore[arg-type]
    assert not (tmp_path / "replay").exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given no such file, then its name and what would do are told."""
    assert main(tmp_path / "nowhere.txt") == 1
    assert "nowhere.txt" in capsys.readouterr().err


def test_many_banks_are_told_to_a_process_and_read_back(tmp_path: Path) -> None:
    """Given the configurations of some banks, when they are written, then they are read the same, and no nonsense."""
    configs = [SourceConfig(state_directory=tmp_path / str(n), board=f"emulated:{n}") for n in range(3)]
    assert read_configs(write_configs(configs)) == configs
    for wrong in (b"", b"[1]", b'[{"board": "emulated:3"}]', b"\xff"):
        with pytest.raises(ConfigWrong):
            read_configs(wrong)


def test_an_order_that_did_not_end_is_not_accounted_for() -> None:
    """Given orders as people left them, then only what ended counts, and a day with others is not settled."""
    [errand] = errands(msgspec.structs.replace(SMALL, orders=SMALL.orders[:1]), "t")
    item = Item(errand.reference, "", errand.email, Role.COLLECTS, errand.rank)
    assert outcome_of(Way(errand, item)) == UNACCOUNTED
    assert outcome_of(Way(errand, item, locker=errand.order.locker)) == UNACCOUNTED
    item.ended = "cancelled"
    assert outcome_of(Way(errand, item)) == REFUSED
    assert outcome_of(Way(errand, item, locker=errand.order.locker)) == UNACCOUNTED


@pytest.mark.parametrize(("outcomes", "wrong"), [({REFUSED: 1}, ["x"]), ({UNACCOUNTED: 1}, []), ({REFUSED: 1}, [])])
def test_a_day_is_settled_only_if_nothing_is_open(outcomes: dict[str, int], wrong: list[str]) -> None:
    """Given an account, then one disagreement or one order unaccounted for is enough to fail it."""
    account = Account(
        orders=1,
        outcomes=outcomes,
        by_size={name: {"A": count} for name, count in outcomes.items()},
        refusals={},
        asked_elsewhere=0,
        first_offered=0,
        moved_metres={"count": 0},
        stages={},
        deposits=0,
        withdrawals=0,
        entries=0,
        stuck_doors=0,
        wrong_codes=0,
        too_early=0,
        cases=0,
        mails=0,
        deposit_to_mail_ms={"count": 0},
        tour_metres=0,
        phases_s={},
        failures=[],
        disagreements=wrong,
    )
    assert account.is_settled == (outcomes == {REFUSED: 1} and not wrong)
    assert as_plain(account)["settled"] == account.is_settled
    assert list(as_lines(account))[-1].endswith(f"{len(wrong)} in disagreement.")


def test_both_radom_days_can_be_planned() -> None:
    """Given the real days, when they are planned, then every locker has its doors and every order a stop."""
    folder = data_dir()
    paths = instance_paths(folder, "Radom") if folder is not None else ()
    if not paths:
        pytest.skip("the Polish instances are absent: set RESTANTE_DATA to the folder of benchmark data")
    for path in paths:
        real = read_instance(path.read_bytes())
        assert isinstance(real, Instance)
        plans = point_plans(real, city_of(path.stem))
        assert sum(plan.doors for plan in plans) == sum(sum(one.free) for one in real.lockers)
        load = {locker: sum(order.locker == locker for order in real.orders) for locker in range(1, 82)}
        made = tours(real, real.vehicles, load)
        assert sum(load[locker] for tour in made for locker in tour) == len(real.orders)
        assert expected(real)["own"] == len(real.orders), "every order finds room where it asks on the day itself"
