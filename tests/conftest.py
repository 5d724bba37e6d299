"""What every test has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the tests' own: the user's is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ODM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
