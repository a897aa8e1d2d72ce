"""A later epoch of the hub begins on the schema of any version, also on that of one put back from a backup."""

import shutil
from pathlib import Path

import psycopg
import pytest

from restante.cli.database import later_epoch
from restante.store import migrate

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

OF_THE_FIRST_VERSION = 5


async def test_an_epoch_begins_on_the_schema_of_an_earlier_version(empty_database: str, tmp_path: Path) -> None:
    """Given a database with the migrations of the first version alone, when an epoch begins, then it is a later one."""
    for one in migrate.load()[:OF_THE_FIRST_VERSION]:
        shutil.copy(Path(str(migrate.PACKAGED)) / one.file, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as db:
        assert len(migrate.migrate(db, tmp_path)) == OF_THE_FIRST_VERSION
    first = await later_epoch(empty_database)
    assert first > 1
    assert await later_epoch(empty_database) > first
