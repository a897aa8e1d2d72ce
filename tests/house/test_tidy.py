"""The tree is tidy, and the checks that say so catch what they should."""

import pytest

from tests.house import tidy

pytestmark = pytest.mark.no_cover  # the product is read here, not run


def test_the_tree_is_tidy() -> None:
    """Sizes, names and words hold in every file that people wrote."""
    found = [finding for path, text in tidy.texts() for finding in tidy.findings(path, text)]
    assert not found, "\n" + "\n".join(map(str, found))


def test_the_checks_look_at_the_whole_tree() -> None:
    """A check over no files would pass for ever; the root, the package and the tests are all seen."""
    seen = {path for path, _ in tidy.texts()}
    assert {"pyproject.toml", "Makefile", ".ci/run", "src/restante/core/refusals.py", "tests/house/tidy.py"} <= seen


def test_nothing_made_by_a_tool_is_looked_at() -> None:
    """Caches and environments are not ours to keep tidy."""
    assert not [path for path, _ in tidy.texts() if path.startswith((".venv/", ".cache/")) or "__pycache__" in path]


def function_of(lines: int) -> str:
    """A function with this many lines."""
    return "def long():\n" + "    x = 1\n" * (lines - 1)


PURPOSE = '"""Purpose."""\n'
PLANTED = {
    "long function": ("a.py", PURPOSE + function_of(71), "long has 71 lines"),
    "long coroutine": ("a.py", PURPOSE + "async " + function_of(71), "long has 71 lines"),
    "long method": ("a.py", PURPOSE + "class A:\n def f(self):\n" + "  x = 1\n" * 70, "f has 71 lines"),
    "long file": ("a.py", PURPOSE + "x = 1\n" * 600, "the file has 601 lines"),
    "positional": ("a.py", PURPOSE + "def f(a, b, c, d): ...\n", "f takes 4 positional"),
    "positional-only": ("a.py", PURPOSE + "def f(a, b, /, c, d): ...\n", "f takes 4 positional"),
    "method": ("a.py", PURPOSE + "class A:\n def f(self, a, b, c, d): ...\n", "f takes 4 positional"),
    "no purpose": ("a.py", "x = 1\n", "does not open with its purpose"),
    "manager": ("a.py", PURPOSE + "class DoorManager: ...\n", "DoorManager"),
    "impl": ("a.py", PURPOSE + "class StoreImpl: ...\n", "StoreImpl"),
    "hungarian": ("a.py", PURPOSE + "class IStore: ...\n", "IStore"),
    "base": ("a.py", PURPOSE + "class BaseStore: ...\n", "BaseStore"),
    "utils": ("src/utils.py", PURPOSE, "'utils'"),
    "helpers folder": ("src/helpers/doors.py", PURPOSE, "'helpers'"),
    "later": ("a.md", "Works. " + "TO" + "DO: test it.\n", "a promise"),
    "later in code": ("a.py", PURPOSE + "# FIX" + "ME\n", "a promise"),
    "machine path": ("a.toml", 'home = "/ro' + 'ot/state"\n', "somebody's machine"),
    "registry": ("a.txt", "https://py" + "pi.org/simple\n", "package registry"),
}


@pytest.mark.parametrize(("path", "text", "what"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(path: str, text: str, what: str) -> None:
    """Each stop catches the least thing that goes past it, and nothing else is blamed."""
    [finding] = tidy.findings(path, text)
    assert what in finding.what


AT_THE_STOP = {
    "function": PURPOSE + function_of(70),
    "file": PURPOSE + "x = 1\n" * 599,
    "parameters": PURPOSE + "class A:\n def f(self, a, b, c, *, d, e): ...\n",
    "dictated": PURPOSE + "async def handle_RCPT(self, server, session, envelope, address, options): ...\n",
    "given by pytest": PURPOSE + "def test_all(a, b, c, d, e): ...\n",
    "empty": "",
}


@pytest.mark.parametrize("text", AT_THE_STOP.values(), ids=AT_THE_STOP)
def test_a_file_at_the_stop_passes(text: str) -> None:
    """The stops are stops, not one less."""
    assert tidy.findings("a.py", text) == []
