"""Fixtures for the store's own tests."""

from collections.abc import Iterator

import psycopg
import pytest


@pytest.fixture
def db(empty_database: str) -> Iterator[psycopg.Connection]:
    """A connection in autocommit to an empty database."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield connection
