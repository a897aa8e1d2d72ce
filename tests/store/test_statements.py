"""Named statements: what a file may hold, and that every parameter reaches the server."""

import sys
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restante.store.statements import StatementsMalformed, load, parse
from tests.fixtures.statements import numbered, prepare_all

GOOD = """\
-- What the tests ask of parcels.

-- name: parcels_due
-- Parcels whose hold ends before an instant,
-- soonest first.
SELECT %(before)s::timestamptz, %(before)s::timestamptz - interval '1 day' -- the same twice
WHERE 'half' LIKE '%%a%%' AND %(lane)s::int = 1;

--   name:   one
-- One.
SELECT 1
"""


def test_a_file_gives_its_statements_by_name() -> None:
    """Given a file of two statements, when parsed, then each has its name, description and text without semicolon."""
    found = parse(GOOD, source="here")
    assert list(found) == ["parcels_due", "one"]
    assert found["parcels_due"].description == "Parcels whose hold ends before an instant, soonest first."
    assert found["parcels_due"].text.startswith("SELECT %(before)s")
    assert found["parcels_due"].text.endswith("= 1")
    assert found["one"].text == "SELECT 1"
    assert "2 statements of here" in repr(found)


def test_an_unknown_name_tells_the_file() -> None:
    """Given a file, when a name it lacks is asked for, then the answer names both."""
    with pytest.raises(KeyError, match=r"here has no statement 'two'"):
        parse(GOOD, source="here")["two"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-- name: a\n-- A.\nSELECT 1\n-- name: a\n-- A.\nSELECT 2", "two statements are named a"),
        ("SELECT 1", r"here:1: a statement needs a line"),
        ("-- About.\n\nSELECT 1", r"here:3: a statement needs a line"),
        ("-- name:\n-- A.\nSELECT 1", r"here:1: a name is lower case"),
        ("-- name: Two words\n-- A.\nSELECT 1", r"here:1: a name is lower case"),
        ("-- name: a\nSELECT 1", "a has no description"),
        ("-- name: a\n--\nSELECT 1", "a has no description"),
        ("-- name: a\n-- A.\n", "a has no SQL"),
        ("-- name: a\n-- A.\n\n-- only words\n", "a has no SQL"),
        ("-- name: a\n-- A.\n;", "a has no SQL"),
        ("-- name: a\n-- A.\nSELECT %s", "write parameters as"),
        ("-- name: a\n-- A.\nSELECT 1 LIKE '%x'", "write parameters as"),
        ("-- name: a\n-- A.\nSELECT %(x)d", "write parameters as"),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused(text: str, words: str) -> None:
    """Given a file that breaks one rule, when parsed, then the fault names the file and the rule."""
    with pytest.raises(StatementsMalformed, match=words):
        parse(text, source="here")


def test_statements_load_from_any_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a package with a queries.sql next to its code, when loaded, then its statements are there."""
    (tmp_path / "slice_under_test" / "sql").mkdir(parents=True)
    (tmp_path / "slice_under_test" / "__init__.py").write_text("")
    (tmp_path / "slice_under_test" / "queries.sql").write_text(GOOD)
    (tmp_path / "slice_under_test" / "sql" / "more.sql").write_text("-- name: more\n-- More.\nSELECT 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "slice_under_test", raising=False)
    assert len(load("slice_under_test")) == 2
    assert load("slice_under_test", "sql/more.sql")["more"].text == "SELECT 2"
    with pytest.raises(StatementsMalformed, match=r"slice_under_test/none\.sql cannot be read"):
        load("slice_under_test", "none.sql")


def test_parameters_become_numbers() -> None:
    """Given named parameters, when numbered, then the same name has the same number."""
    assert numbered("%(a)s %(b)s %(a)s %%") == "$1 $2 $1 %"


def test_statements_are_prepared_on_a_server(db: psycopg.Connection) -> None:
    """Given statements, when prepared against a server, then a good one passes and a misspelt table is named."""
    prepare_all(db, parse(GOOD, source="here"))
    with pytest.raises(AssertionError, match=r"bad: .*no_such_table"):
        prepare_all(db, parse("-- name: bad\n-- Bad.\nSELECT * FROM no_such_table", source="here"))


@given(st.text(alphabet=st.sampled_from("-- name:\n;%()sSELECT'x1\r\0"), max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Given any text, when parsed, then either each statement is named, described and has SQL, or there is a fault."""
    try:
        found = parse(text, source="here")
    except StatementsMalformed:
        return
    for name, statement in found.items():
        assert name == statement.name
        assert statement.description
        assert statement.text.strip()
