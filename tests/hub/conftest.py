"""What the tests of the hub's slices share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hub.api import Api, an_api


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """An API over a database of the test's own."""
    async with an_api(database, tmp_path) as api:
        yield api
