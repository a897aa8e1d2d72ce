"""The account of an upgrade proof: what it takes for proven, what is played again, and what its looks at locks tell."""

from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from restante.sim.kill.judge import Verdict
from restante.sim.upgrade import prove
from restante.sim.upgrade.locks import Locked, small
from restante.sim.upgrade.outcome import Played
from restante.sim.upgrade.prove import STORIES, Line, Versions, main, read_account
from restante.sim.upgrade.rolling import REFUSED
from restante.sim.upgrade.versions import Version

CLEAN = Played("a story", {"commands": 3, "forks": 0}, ("a note",))
VERSIONS = Versions(Version("N-1", "/old"), Version("N"), Version("N+1", "/new"))


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stories that are told at once and well; their names as they are played."""
    names: list[str] = []

    def telling(name: str) -> prove.Play:
        async def play(of: Versions, place: Path) -> Played:
            assert (of, place.parent.exists()) == (VERSIONS, True)
            names.append(name)
            return CLEAN

        return play

    monkeypatch.setattr(prove, "STORIES", {name: telling(name) for name in STORIES})
    monkeypatch.setattr(prove, "_versions", lambda _: VERSIONS)
    return names


def ran(folder: Path, *, minutes: float | None = None, json: bool = False) -> int:
    """The exit code of a proof nobody looks at."""
    return main(minutes=minutes, folder=folder, console=Console(file=StringIO()), json=json)


def test_a_proof_goes_on_where_it_stopped(
    tmp_path: Path, played: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an account of a good, a bad and a torn story, when run, then all but the good one are played."""
    assert ran(tmp_path, minutes=-1) == 1
    assert played == []
    (path,) = tmp_path.iterdir()
    first, second, *_ = STORIES
    bad = msgspec.structs.replace(CLEAN, verdict=Verdict(lost=("entry 7",)))
    lines = [msgspec.json.encode(Line(first, CLEAN)), msgspec.json.encode(Line(second, bad)), b'{"name":"res']
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert "  entry 7" in list(read_account(path).lines())
    assert ran(tmp_path, json=True) == 0
    assert played == list(STORIES)[1:]
    told = msgspec.json.decode(capsys.readouterr().out)
    assert (told["proven"], set(told["stories"])) == (True, set(STORIES))
    assert [*tmp_path.iterdir()] == [path], "nothing has failed, so no logs are kept"
    assert ran(tmp_path) == 0
    assert played == list(STORIES)[1:]


def test_the_logs_of_a_story_that_failed_are_kept(
    tmp_path: Path, played: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a story that fails, when the proof has ended, then what its programs logged is beside the account."""

    async def play(_: Versions, place: Path) -> Played:
        (place / "network").mkdir(parents=True)
        (place / "network/hub.log").write_text("said")
        return msgspec.structs.replace(CLEAN, fault="Stuck: not so")

    first = next(iter(STORIES))
    monkeypatch.setitem(prove.STORIES, first, play)
    assert ran(tmp_path) == 1
    (log,) = tmp_path.rglob("*.log")
    assert (log.read_text(), log.parent.parent.name) == ("said", first.replace(" ", "-"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": Verdict(lost=("entry 7",))},
        {"verdict": Verdict(doubled=("door 1",))},
        {"verdict": Verdict(wrong=("a parcel",))},
        {"fault": "Stuck: not so"},
    ],
)
def test_a_story_is_clean_only_without_any_of_these(wrong: dict[str, object]) -> None:
    """Given one thing that went wrong, when asked, then the story is not clean."""
    assert CLEAN.is_clean
    assert not msgspec.structs.replace(CLEAN, **wrong).is_clean


def test_a_lock_is_told_rather_too_long_than_too_short() -> None:
    """Given looks, when one sees a lock, then it counts from the look before to the look after; new tables do not."""
    locked = Locked(frozenset({"parcel", "contact"}))
    seen = [(), ("parcel", "new"), ("parcel",), (), ("contact",), ()]
    for number, tables in enumerate(seen):
        locked.look(frozenset(tables), last_s=float(number), now_s=float(number + 1))
    assert (locked.longest_ms, locked.looks) == ({"parcel": 3_000.0, "contact": 2_000.0}, 6)


@pytest.mark.parametrize(
    ("counted", "is_small"), [({}, True), ({"parcel": 8}, True), ({"parcel": 199_000}, False), ({"parcel": 99}, True)]
)
def test_a_database_that_was_not_made_large_proves_nothing(counted: dict[str, int], is_small: bool) -> None:
    """Given tables as the server counts them, when one has less than half of what it was to have, then it is named."""
    figures = {f"rows of {table}": 200_000.0 for table in ("contact", "request_key")}
    figures |= {f"rows of {table}": float(count) for table, count in counted.items()}
    assert ("parcel has" in small(figures, 200_000)) is is_small


def test_a_refusal_to_start_is_known_by_its_words() -> None:
    """Given how today's program says that the schema is newer, when read, then it is taken for that refusal."""
    said = "The database has migration 0010_later, which this program does not know: start the newer program, or go (x)"
    found = REFUSED.search(f'{{"error":"{said}"}}')
    assert found is not None
    assert found[0].endswith("start the newer program, or go")
