"""Names that a package loads on first use."""

from __future__ import annotations

from types import ModuleType

import pytest

import odm
import odm.core


@pytest.mark.parametrize("package", [odm, odm.core])
def test_public_names_are_listed_and_load_on_first_use(package: ModuleType) -> None:
    assert dir(package) == package.__all__ and "ArchiveError" in dir(package)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'nothing'"):
        _ = package.nothing
