"""What a tidy file is: sizes, names and words, each check a function from a file's text to its findings."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

FUNCTION_LINES = 70
FILE_LINES = 600
POSITIONAL_PARAMETERS = 3

# Signatures that another library dictates, by function name.
DICTATED = {
    "handle_RCPT": "aiosmtpd calls it with five positional values",
    "handle_MAIL": "aiosmtpd calls it with five positional values",
    "handle_EHLO": "aiosmtpd calls it with five positional values",
}

_IGNORED = {
    ".git", ".venv", ".cache", ".state", "node_modules", "__pycache__", "htmlcov", "build", "dist",
    ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".import_linter_cache",
}  # fmt: skip
_TEXT = {
    "", ".cfg", ".css", ".html", ".importlinter", ".ini", ".js", ".json", ".md", ".mjs", ".po", ".py", ".sh", ".sql",
    ".svelte", ".toml", ".ts", ".txt", ".yaml", ".yml",
}  # fmt: skip

# Put together here so that this file does not hold what it looks for.
_LATER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "HA" + "CK")) + r")\b")
_MACHINE = re.compile(
    r"(?<![\w.])/(?:"
    + "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me/[a-z]", "Us" + "ers/", r"opt/(?:wheels|pypi)"))
    + r")\b"
)
_REGISTRY = re.compile(
    "|".join(
        (
            r"pypi\." + "org",
            r"python" + r"hosted\.org",
            r"npm" + r"js\.(?:org|com)",
            r"deb\.deb" + r"ian\.org",
            "artifact" + "ory",
        )
    )
)
_BANNED_NAME = re.compile(r"(Manager|Helper|Helpers|Util|Utils|Impl|Base)$|^Base[A-Z]|^I[A-Z][a-z]")
_BANNED_FILE = re.compile(r"^_?(utils?|helpers?|misc|common|manager)$")


class Finding(NamedTuple):
    """One thing that is not tidy: where it stands and what is wrong."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


Check = Callable[[str, str], Iterator[Finding]]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(root: Path = ROOT) -> Iterator[Path]:
    """Every file of the tree that people wrote, in a stable order."""
    for path in sorted(root.iterdir()):
        if path.name in _IGNORED or path.name.endswith(".egg-info") or path.name.startswith(".coverage"):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def texts(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Path (from the root) and text of every text file; a test run's own scratch files are none of ours."""
    for path in files(root):
        if path.suffix in _TEXT:
            yield str(path.relative_to(root)), path.read_text(encoding="utf-8")


def findings(path: str, text: str) -> list[Finding]:
    """All that is untidy in one file."""
    checks = _ANY_FILE if not path.endswith(".py") else (*_ANY_FILE, *_PYTHON)
    return [finding for check in checks for finding in check(path, text)]


def _each_line(path: str, text: str, *, pattern: re.Pattern[str], what: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        if found := pattern.search(line):
            yield Finding(path, number, f"{what}: {found.group()}")


def _no_promises(path: str, text: str) -> Iterator[Finding]:
    return _each_line(path, text, pattern=_LATER, what="a promise in place of work")


def _no_machine(path: str, text: str) -> Iterator[Finding]:
    return _each_line(path, text, pattern=_MACHINE, what="a path of somebody's machine")


def _no_registry(path: str, text: str) -> Iterator[Finding]:
    return _each_line(path, text, pattern=_REGISTRY, what="the address of a package registry")


def _short_file(path: str, text: str) -> Iterator[Finding]:
    if (lines := len(text.splitlines())) > FILE_LINES:
        yield Finding(path, FILE_LINES, f"the file has {lines} lines, the stop is {FILE_LINES}")


def _file_name(path: str, _text: str) -> Iterator[Finding]:
    for part in (*Path(path).parent.parts, Path(path).stem):
        if _BANNED_FILE.search(part):
            yield Finding(path, 1, f"the name {part!r} says nothing about what is inside")


def _purpose(path: str, text: str) -> Iterator[Finding]:
    tree = ast.parse(text)
    if tree.body and not (ast.get_docstring(tree) or "").strip():
        yield Finding(path, 1, "the module does not open with its purpose")


def _short_functions(path: str, text: str) -> Iterator[Finding]:
    for node in _functions(text):
        assert node.end_lineno is not None
        if (lines := node.end_lineno - node.lineno + 1) > FUNCTION_LINES:
            yield Finding(path, node.lineno, f"{node.name} has {lines} lines, the stop is {FUNCTION_LINES}")


def _few_positional(path: str, text: str) -> Iterator[Finding]:
    for node in _functions(text):
        named = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        count = len(named) - (named[:1] in (["self"], ["cls"], ["mcs"]))
        given_by_pytest = node.name.startswith("test_") or any(_is_fixture(each) for each in node.decorator_list)
        if count > POSITIONAL_PARAMETERS and node.name not in DICTATED and not given_by_pytest:
            yield Finding(path, node.lineno, f"{node.name} takes {count} positional parameters")


def _is_fixture(decorator: ast.expr) -> bool:
    return "fixture" in ast.unparse(decorator)


def _names(path: str, text: str) -> Iterator[Finding]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and _BANNED_NAME.search(node.name):
            yield Finding(path, node.lineno, f"the name {node.name} tells a pattern, not a thing")


def _functions(text: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


_ANY_FILE: tuple[Check, ...] = (_no_promises, _no_machine, _no_registry, _file_name)
_PYTHON: tuple[Check, ...] = (_short_file, _purpose, _short_functions, _few_positional, _names)
