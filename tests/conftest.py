"""What every folder of tests may use, and the order in which files are run."""

import hypothesis
import pytest

pytest_plugins = ["tests.fixtures.postgres", "tests.fixtures.ledgers"]

# How long one example takes says more about the machine's other work than about us.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
