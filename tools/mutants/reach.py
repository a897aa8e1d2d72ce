"""Which tests reach which lines, and how long each takes: found once for a state of sources and tests, by coverage."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

import coverage
import msgspec
import pytest

from tools.mutants.parts import LEFT_OUT, ROOT, SOURCES, Part

_KEPT_IN: Final = "RESTANTE_MUTANTS_REACH"
PYTEST: Final = (
    *(
        "-q",
        "-m",
        "not postgres",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faker",
        "-p",
        "no:schemathesis",
        "-p",
        "no:xdist",
    ),
    *("-p", "no:pytest_cov", "-W", "ignore::pytest.PytestAssertRewriteWarning", "--capture=no", "-r", "N"),
    *(option for path in LEFT_OUT for option in ("--ignore", path)),
)


class Reach(msgspec.Struct):
    """The tests of a part in the order they ran, their seconds, and the numbers of those that reach each line."""

    tests: list[str] = []
    seconds: list[float] = []
    lines: dict[str, dict[int, list[int]]] = {}

    def of(self, path: str, first: int, last: int) -> list[int]:
        """The tests that reach any of some lines, quickest first."""
        lines = self.lines.get(path, {})
        return self.ordered({test for line in range(first, last + 1) for test in lines.get(line, ())})

    def whole(self) -> list[int]:
        """All tests, quickest first: what is made at import may be met by any of them."""
        return self.ordered(set(range(len(self.tests))))

    def ordered(self, tests: set[int]) -> list[int]:
        """Quickest first."""
        return sorted(tests, key=lambda test: (self.seconds[test], test))


def reach_of(name: str, part: Part, folder: Path) -> Reach:
    """Read what was found for these very sources and tests, or find it. Raises ``RuntimeError`` where a test fails."""
    path = folder / f"mutants-{name}-{state_of(part)}.reach.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pytest", "-p", "tools.mutants.reach", *PYTEST, *part.tests]
        environ = {**os.environ, _KEPT_IN: str(path.resolve())}
        told = subprocess.run(command, cwd=ROOT, env=environ, check=False)  # noqa: S603 -- pytest, with our options
        if told.returncode:
            path.unlink(missing_ok=True)
            raise RuntimeError("The tests fail without any change; mutants would tell nothing.")
    return msgspec.json.decode(path.read_bytes(), type=Reach)


def state_of(part: Part) -> str:
    """Twelve digits that differ when the product, or a test of this part, does."""
    digest = hashlib.sha256()
    for path in sorted(_files(part)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _files(part: Part) -> Iterator[Path]:
    yield from (SOURCES / "restante").rglob("*.py")
    for test in part.tests:
        yield from [ROOT / test] if test.endswith(".py") else (ROOT / test).rglob("*.py")


class _Finder:
    """Notes under the name of each test what it runs, set up and torn down included."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found = Reach()
        self._traced = coverage.Coverage(
            data_file=None, branch=False, source=[str(SOURCES / "restante")], config_file=False
        )

    def begin(self) -> None:
        """Trace from now on."""
        self._traced.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Count one test."""
        self._traced.switch_context(str(len(self._found.tests)))
        begun_s = _now_s()
        answer = yield
        self._found.tests.append(item.nodeid)
        self._found.seconds.append(round(_now_s() - begun_s, 4))
        return answer

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Keep what was found, if all is well."""
        self._traced.stop()
        if exitstatus:
            return
        data = self._traced.get_data()
        for path in data.measured_files():
            lines = data.contexts_by_lineno(path)
            reached = {line: sorted(int(one) for one in tests if one) for line, tests in lines.items() if any(tests)}
            self._found.lines[str(Path(path).relative_to(SOURCES))] = reached
        self._path.write_bytes(msgspec.json.encode(self._found))


def spent(pid: int) -> tuple[float, float]:
    """Seconds that a process had a processor, and that it waited for one, as Linux tells them (``sched-stats``)."""
    ran_ns, waited_ns, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran_ns) / 1e9, int(waited_ns) / 1e9


def _now_s() -> float:
    """A clock that stands while this process waits for a processor: tests are no slower on a busy machine."""
    return perf_counter() - spent(os.getpid())[1]


def pytest_configure(config: pytest.Config) -> None:
    """Join a session that was started to find what tests reach."""
    if _KEPT_IN in os.environ:
        finder = _Finder(Path(os.environ[_KEPT_IN]))
        finder.begin()
        config.pluginmanager.register(finder, "mutants-reach")


def within(tests: Sequence[int], reach: Reach, seconds: float) -> list[int]:
    """As many of the tests, from the first on, as take so long together; one at least."""
    kept, spent = list[int](), 0.0
    for test in tests:
        spent += reach.seconds[test]
        if kept and spent > seconds:
            break
        kept.append(test)
    return kept
