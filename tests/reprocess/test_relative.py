"""A campaign of a model for relative images, and campaigns of models that were the default."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from odm.archive.orbit.reader import read_orbit
from odm.catalog.campaign import load_campaign
from odm.core.errors import InputError
from odm.findings.outlines import outline_mask
from odm.models import shipped
from odm.models.pipeline import read_digest
from odm.reprocess.order import open_order
from odm.reprocess.request import ModelOptions, ReprocessRequest
from tests.reprocess import small


@pytest.mark.parametrize("flip", [False, True])
def test_what_it_finds_lies_where_it_is(tmp_path: Path, flip: bool) -> None:
    small.write_archive(tmp_path / "archive", 3)
    small.write_relative_model(tmp_path / "model")
    summary = small.run(tmp_path, findings={"flip": flip})
    assert (summary.counts["detected"], summary.counts["clear"]) == (2, 1)
    rows = load_campaign(tmp_path / "campaign").outcomes().to_pylist()
    for row in rows:
        assert row["valid_share"] > 0.95 and row["clipped_high"] < 0.05
        for region in row["findings"]:
            orbit = read_orbit(tmp_path / "archive" / row["name"])
            mask = outline_mask(region["outline"], orbit.times, orbit.frequency)
            assert mask is not None
            line, column = np.ogrid[:1024, : small.ROWS]
            far = ((column - 50) / 10) ** 2 + ((1023 - line - 250) / 25) ** 2
            truth = 12 * np.exp(-far) > 3  # 12 dB
            assert (mask & truth).sum() / (mask | truth).sum() > 0.8


def request(tmp: Path, folder: str | None) -> ReprocessRequest:
    return ReprocessRequest(
        kind="orbits",
        archive=str(tmp / "archive"),
        campaign=str(tmp / "campaign"),
        model=ModelOptions(folder=folder),
    )


def test_a_campaign_goes_on_with_what_was_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.write_archive(tmp_path / "archive", 1)
    begun = open_order(request(tmp_path, "odm_unet_small"))
    begun.campaign.commit([])
    newer = small.write_relative_model(tmp_path / "newer")
    monkeypatch.setattr(shipped, "shipped_model", lambda kind: Path(newer))
    assert open_order(request(tmp_path, None)).inference.digest == begun.inference.digest
    assert read_digest(newer) != begun.inference.digest
    (tmp_path / "campaign" / "campaign.json").unlink()
    assert open_order(request(tmp_path, None)).inference.digest == read_digest(newer)


def test_a_campaign_of_a_model_of_ones_own_still_has_to_name_it(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 1)
    small.write_model(tmp_path / "model")
    small.run(tmp_path)
    with pytest.raises(InputError, match=r"model\.architecture is log there"):
        open_order(request(tmp_path, None))
