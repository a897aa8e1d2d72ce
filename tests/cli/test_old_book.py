"""`restante bank upload-book`: a replaced controller's disk goes into the book of the one in its place."""

from pathlib import Path

import pytest

from restante.cli import main
from restante.edge.bank import BOOK_FILE, IDENTITY_FOLDER
from restante.edge.book import create_book, open_book
from tests.edge.test_book import write
from tests.edge.test_identity import stored
from tests.hub.fleet.lines import NAME, Hub


def run(old: Path, state: Path) -> int:
    """The exit code of the command."""
    try:
        main(["bank", "upload-book", str(old), "--state", str(state)])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_an_old_book_is_taken_in_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given an enrolled controller in epoch 2 and its forerunner's disk, then what that never sent is next to go up."""
    state, path = tmp_path / "bank", tmp_path / "old.sqlite"
    stored(Hub(tmp_path / "hub"), state / IDENTITY_FOLDER)
    old = create_book(path, source=NAME.source)
    lost = write(old, 3)
    old.close()
    book = create_book(state / BOOK_FILE, source=NAME.source)
    with book.step() as step:
        assert step.start_epoch(2) is None
    book.close()
    assert run(path, state) == 0
    assert capsys.readouterr().out == "Log epoch 1: 3 entries, 3 never acknowledged.\n"
    after = open_book(state / BOOK_FILE, source=NAME.source)
    assert after.unsent() == tuple(lost)
    after.close()
    assert run(path, state) == 1
    assert capsys.readouterr().err.startswith("book-not-older (book)")


def test_another_banks_book_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given the disk of another bank, then the command says so and the book stays as it was."""
    state, path = tmp_path / "bank", tmp_path / "other.sqlite"
    stored(Hub(tmp_path / "hub"), state / IDENTITY_FOLDER)
    create_book(state / BOOK_FILE, source=NAME.source, epoch=2).close()
    create_book(path, source="another").close()
    assert run(path, state) == 3
    assert "BookForeign" in capsys.readouterr().err
