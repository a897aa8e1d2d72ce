"""What must be there for every kind: a status, a way back from storage for ever, rows named, refusals documented."""

import ast
import inspect
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import restante.core
from restante.core import commands as cmd
from restante.core import events as ev
from restante.core import parcel as stages
from restante.core.refusals import CODES
from restante.core.status import EVENTS, STAGES, Actor, Phase
from tests.fixtures.shapes import is_kept

GOLDEN = Path(__file__).parent / "golden"
EVENT_KINDS = get_args(ev.AnyEvent)
CORE = Path(inspect.getfile(restante.core)).parent
PACKAGE = CORE.parent

# The table begins with the codes of custody. Those in OWED wait for the slice that will answer with them.
CUSTODY = list(CODES)[: list(CODES).index("case-unknown") + 1]
OWED = {"reference-taken", "compartment-unknown", "journal-broken"}


@pytest.mark.parametrize("stage", get_args(stages.Stage))
def test_every_stage_has_a_status(stage: type[stages.Stage]) -> None:
    """Given a stage, when its status is asked, then there is one, terminal exactly when nobody acts next."""
    assert STAGES[stage].is_terminal == (STAGES[stage].actor is Actor.NOBODY) == (STAGES[stage].phase is Phase.ENDED)
    assert len(STAGES) == len(get_args(stages.Stage))


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_every_event_has_a_status(kind: type[ev.AnyEvent]) -> None:
    """Given a kind of event, when its status is asked, then there is one, and a point's event is at its point."""
    assert (EVENTS[kind].phase is Phase.AT_POINT) == issubclass(kind, ev.PointEvent)
    assert len(EVENTS) == len(EVENT_KINDS)


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_an_event_of_the_first_release_is_read_for_ever(kind: type[ev.AnyEvent]) -> None:
    """Given an event stored by the first release, when it is read, then it has its kind and all that was written."""
    stored = msgspec.json.decode((GOLDEN / f"{kind.__struct_config__.tag}.json").read_bytes())
    event = msgspec.convert(stored, ev.AnyEvent)
    assert type(event) is kind
    assert is_kept(stored, msgspec.json.decode(msgspec.json.encode(event)))


def test_no_golden_event_is_forgotten() -> None:
    """Given the stored events, when their kinds are listed, then all are still read."""
    assert {path.stem for path in GOLDEN.glob("*.json")} == {str(kind.__struct_config__.tag) for kind in EVENT_KINDS}


def refused_with(path: Path) -> set[str]:
    """Every code that a file of ours refuses with, or names in its text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in CODES}


def test_every_refusal_of_custody_is_used() -> None:
    """Given the codes of custody, when the sources are read, then each is answered somewhere, or owed by name."""
    used = set[str]().union(*(refused_with(path) for path in PACKAGE.rglob("*.py") if path.name != "refusals.py"))
    assert set(CUSTODY) - used <= OWED


def test_every_refusal_of_core_is_documented() -> None:
    """Given the sources of core, when their refusals are read, then each code stands in the table."""
    named = {
        code
        for path in CORE.glob("*.py")
        for code in re.findall(r'Refusal\(\s*"([a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(named) > 30
    assert named <= set(CODES)


@pytest.mark.parametrize("kind", get_args(cmd.AnyCommand))
def test_a_command_names_only_codes_that_exist(kind: type[cmd.AnyCommand]) -> None:
    """Given a command's documentation, when it names refusals, then each stands in the table."""
    named = re.findall(r"``([a-z]+(?:-[a-z]+)+)``", kind.__doc__ or "")
    assert set(named) <= set(CODES)
