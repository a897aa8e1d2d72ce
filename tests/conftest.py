"""What every folder of tests may use, the order in which files are run, and what coverage need not see."""

import logging
import os
import sys
import threading
from collections.abc import Generator

import hypothesis
import pytest
import structlog

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.ledgers"]

# How long one example takes says more about the machine's other work than about us.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

_TRACED: set[tuple[str, str, str]] = set()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> Generator[None]:
    """Trace the first making of a fixture only: later ones tread the same lines, and tracing slows libraries too."""
    tracer = sys.gettrace()
    made = (fixturedef.baseid, fixturedef.argname, repr(getattr(request, "param", None)))
    if made in _TRACED:
        sys.settrace(None)
    elif tracer and _measures(request.config):
        _TRACED.add(made)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Trace nothing in tests marked `no_cover`: a worker is traced twice, also as a process, and the mark ends one."""
    here, in_threads = sys.gettrace(), threading.gettrace()
    if _measures(item.config) and item.get_closest_marker("no_cover"):
        sys.settrace(None)
        threading.settrace(None)
    try:
        yield
    finally:
        sys.settrace(here)
        threading.settrace(in_threads)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Leave the process as each test found it: a program that is begun in it says where its log goes, and who may read.

    Around the whole of a test, so that what a fixture of its module begins is undone as well.
    """
    mask = os.umask(0)
    os.umask(mask)
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, levels = root.handlers[:], {one: one.level for one in _loggers()}
    try:
        return (yield)
    finally:
        os.umask(mask)
        root.handlers[:] = handlers
        for one in _loggers():
            one.setLevel(levels.get(one, one.level))
        structlog.configure(**configured)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.getLogger(), *(one for one in known if isinstance(one, logging.Logger))]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no worker is left alone with one at the end.

    Properties are not traced: their examples are drawn anew each time, so that no line may count on one to be run, and
    tread the same lines again and again.
    """
    items.sort(key=lambda item: -_seconds(item))
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return mark.kwargs.get("seconds", 1) if mark else 0


def _measures(config: pytest.Config) -> bool:
    """Whether coverage is measured by this run; who traces for another end, like mutants, has to see everything."""
    return config.pluginmanager.hasplugin("_cov")
