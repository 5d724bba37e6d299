"""Names of half-orbits."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odm.archive.orbit.key import Direction, OrbitKey
from odm.core.errors import InputError
from tests.lookalike import NAME


def test_every_part_of_a_name() -> None:
    key = OrbitKey.parse(f"s3://bucket/2021/04/{NAME}")
    assert key == OrbitKey(
        satellite="CSES_01",
        payload="EFD_3",
        level="L02",
        group="A1",
        orbit_number=17538,
        direction=Direction.ASCENDING,
        start=datetime(2021, 4, 1, 1, 21, 58),
        end=datetime(2021, 4, 1, 1, 56, 42),
        suffix="000",
    )
    assert key.identity == "CSES_01_EFD_3_175381"
    assert key.cycle == 17538 // 76
    assert str(key) == NAME


@given(
    orbit=st.integers(0, 999_999),
    direction=st.sampled_from("01"),
    level=st.sampled_from(["L02", "L2A"]),
    payload=st.integers(1, 4),
    suffix=st.sampled_from(["000", "001", "017"]),
    start=st.datetimes(datetime(2018, 2, 2), datetime(2030, 1, 1)),
)
def test_a_name_prints_back_exactly(
    orbit: int, direction: str, level: str, payload: int, suffix: str, start: datetime
) -> None:
    name = (
        f"CSES_01_EFD_{payload}_{level}_A1_{orbit:05d}{direction}_{start:%Y%m%d_%H%M%S}_"
        f"{start:%Y%m%d_%H%M%S}_{suffix}.h5"
    )
    key = OrbitKey.parse(name)
    assert str(key) == name
    assert (key.orbit_number, key.direction.digit) == (orbit, int(direction))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("175381", "175382"), "direction digit 2"),
        (("20210401_012158", "20210431_012158"), "no date"),
        (("015642", "005642"), "ends before it starts"),
        ((".h5", ".h5.part"), "not the name"),
        ((".h5", ".nc"), "not the name"),
        (("175381", "0175381"), "superfluous zero"),
        (("CSES_01", "DEMETER"), "not the name"),
    ],
)
def test_a_wrong_name_is_refused_with_its_reason(change: tuple[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        OrbitKey.parse(NAME.replace(*change))


def test_the_later_level_then_the_later_suffix_wins() -> None:
    def version(level: str, suffix: str) -> tuple[str, int, str]:
        return OrbitKey.parse(NAME.replace("L02", level).replace("_000.", f"_{suffix}.")).version

    assert version("L02", "002") < version("L02", "010") < version("L2A", "000")
