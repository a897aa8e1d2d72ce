"""What every folder of tests may use, and the order in which files are run."""

import sys
from collections.abc import Generator

import hypothesis
import pytest

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.ledgers"]

# How long one example takes says more about the machine's other work than about us.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Trace nothing in tests marked `no_cover`: a worker is traced twice, also as a process, and the mark ends one."""
    tracer = sys.gettrace()
    if item.get_closest_marker("no_cover"):
        sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: -_seconds(item))


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return mark.kwargs.get("seconds", 1) if mark else 0
