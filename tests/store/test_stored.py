"""Whatever any version has stored is read for ever, by the hub and by a book: golden files of every kind and form."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import restante.store
from restante.core.events import AnyEvent
from restante.core.world import SourceHead
from restante.edge import keeping
from restante.hub import engine
from tests.fixtures.shapes import BOOK, FOLDERS, HUB, TESTS, forms, is_kept, today
from tests.fixtures.whole import variants

KINDS = [(folder, name, kind) for folder, kinds in FOLDERS.items() for name, kind in kinds.items()]
FILES = [(path, kind) for folder, name, kind in KINDS for path in forms(folder, name)]


@pytest.mark.parametrize(("folder", "name", "kind"), KINDS, ids=lambda one: str(one) if isinstance(one, str) else "")
def test_what_is_stored_today_has_a_golden_file(folder: str, name: str, kind: Any) -> None:
    """Given a kind, when stored with something in every field, then one of its golden files has that very form."""
    assert today(name, kind) in [path.read_bytes() for path in forms(folder, name)], "python -m tests.fixtures.shapes"


@pytest.mark.parametrize(("path", "kind"), FILES, ids=lambda one: one.name if isinstance(one, Path) else "")
def test_what_was_ever_stored_is_read_and_kept(path: Path, kind: Any) -> None:
    """Given a golden file, when read and stored again, then all of it is there; the last form comes byte for byte."""
    raw = path.read_bytes()
    again = msgspec.json.encode(msgspec.json.decode(raw, type=kind))
    assert is_kept(msgspec.json.decode(raw), msgspec.json.decode(again))
    folder, name = path.parts[-3], path.stem.rpartition("-")[0]
    assert again == raw or path != forms(folder, name)[-1]


def test_no_golden_file_is_forgotten() -> None:
    """Given the golden files, when their kinds are listed, then all are read, and each kind has its first form."""
    for folder, kinds in FOLDERS.items():
        stems = {path.stem.rpartition("-")[0] for path in (TESTS / folder / "golden").glob("*.json")}
        assert stems == set(kinds)
        assert all(forms(folder, name)[0].stem == f"{name}-1" for name in kinds)


def decoders() -> Iterator[msgspec.json.Decoder[Any]]:
    """Every decoder of a stored column."""
    for module in pkgutil.iter_modules(restante.store.__path__):
        names = vars(importlib.import_module(f"restante.store.{module.name}")).values()
        yield from (one for one in names if isinstance(one, msgspec.json.Decoder))
    yield engine._OUTCOME


def test_every_stored_kind_is_known_here() -> None:
    """Given all that the store decodes, when its kinds are listed, then each has golden files, or is an event."""
    read = {kind for one in decoders() for kind in variants(one.type)}
    assert read - set(variants(AnyEvent)) <= set(HUB.values())
    assert keeping._MAPS.keys() | keeping._VALUES.keys() <= BOOK.keys()


def test_a_source_of_the_version_before_is_read_with_what_it_lacks() -> None:
    """Given a source as the version before stored it, when read, then it has no manifest in force that we know of."""
    first, later = (msgspec.json.decode(path.read_bytes(), type=SourceHead) for path in forms("store", "source"))
    assert first.in_force == (0, 0)
    assert later.in_force > (0, 0)


@pytest.mark.parametrize(("folder", "name", "kind"), KINDS, ids=lambda one: str(one) if isinstance(one, str) else "")
def test_what_a_later_version_adds_is_passed_over(folder: str, name: str, kind: Any) -> None:
    """Given a stored value with a field of a later version, when read, then the rest says what it said."""
    raw = forms(folder, name)[-1].read_bytes()
    if kind in variants(kind) and issubclass(kind, msgspec.Struct):
        later = msgspec.json.decode(raw) | {"of_a_later_version": {"sun": True}}
        assert msgspec.json.decode(msgspec.json.encode(later), type=kind) == msgspec.json.decode(raw, type=kind)
