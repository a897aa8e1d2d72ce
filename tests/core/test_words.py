"""Words that are stored or told to others for ever: those of the first release are all there and mean the same."""

import enum
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import restante.core
from restante.core.refusals import CODES
from restante.core.status import EVENTS, STAGES, Status

RELEASED = msgspec.json.decode(
    (Path(__file__).parent / "words.json").read_bytes(), type=dict[str, dict[str, list[str | bool]]]
)


def named(kinds: dict[type, Status]) -> dict[str, list[str | bool]]:
    """The status of each kind, as others are told it."""
    return {kind.__name__: [said.phase.value, said.actor.value, said.is_terminal] for kind, said in kinds.items()}


def members(kind: type) -> list[str | bool]:
    """The values of an enumeration, or the tag of a struct and the field it stands in."""
    if issubclass(kind, enum.Enum):
        return [member.value for member in kind]
    config = kind.__struct_config__  # type: ignore[attr-defined]
    return [config.tag_field, config.tag]


def kinds_of_core() -> Iterator[type]:
    """Every enumeration and every tagged struct of core."""
    for found in pkgutil.iter_modules(restante.core.__path__):
        module = importlib.import_module(f"restante.core.{found.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            is_tagged = issubclass(kind, msgspec.Struct) and kind.__struct_config__.tag is not None
            if kind.__module__ == module.__name__ and (is_tagged or issubclass(kind, enum.Enum)):
                yield kind


def spoken() -> dict[str, dict[str, list[str | bool]]]:
    """All words of today."""
    return {
        "values": {f"{kind.__module__}.{kind.__name__}": members(kind) for kind in kinds_of_core()},
        "statuses": named({**STAGES, **EVENTS}),
        "refusals": {"codes": [*CODES]},
    }


@pytest.mark.parametrize("part", RELEASED)
def test_a_released_word_stays(part: str) -> None:
    """Given the words of the first release, when today's are read, then none is lost; others may have been added."""
    today = spoken()[part]
    lost = {name: set(words) - set(today.get(name, ())) for name, words in RELEASED[part].items()}
    assert not {name: words for name, words in lost.items() if words}


def test_a_status_means_what_it_meant() -> None:
    """Given the statuses of the first release, when today's are asked, then phase, actor and end are the same."""
    today = spoken()["statuses"]
    assert {name: today[name] for name in RELEASED["statuses"]} == RELEASED["statuses"]


def test_every_code_is_told_in_a_sentence() -> None:
    """Given the codes of refusals, when their words are read, then each is a sentence of its own."""
    assert all(words.endswith(".") and words[0].isupper() for words in CODES.values())
    assert len(set(CODES.values())) == len(CODES)
