"""The town that people's tests act in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hub.worker.town import Town, a_town


@pytest.fixture
async def town(database: str, tmp_path: Path) -> AsyncIterator[Town]:
    """A town in a database of the test's own."""
    async with a_town(database, tmp_path) as town:
        yield town
