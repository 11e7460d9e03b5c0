from __future__ import annotations

import pytest

from tests.app.stores.redis_server import redis_server


@pytest.fixture(scope="package")
def shared_redis():
    """One Redis for all tests that leave it running."""
    with redis_server() as server:
        yield server


@pytest.fixture
def own_redis():
    """A Redis for a test that stops or kills it."""
    with redis_server() as server:
        yield server
