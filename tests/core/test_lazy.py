import pytest

import odm


def test_public_names_are_listed_and_load_on_first_use():
    assert "open_orbit" in dir(odm)
    assert dir(odm) == odm.__all__
    for name in odm.__all__:
        assert getattr(odm, name).__name__ == name
    with pytest.raises(AttributeError, match="'odm' has no attribute 'open_orbits'"):
        _ = odm.open_orbits
