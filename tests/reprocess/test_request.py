"""What a reprocessing is asked for: one sentence for what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from odm.core.errors import InputError
from odm.reprocess.request import (
    LayerOptions,
    ModelOptions,
    RegionOptions,
    ReprocessRequest,
)


def request(**changes: Any) -> ReprocessRequest:
    return ReprocessRequest(kind="orbits", archive="a", campaign="c", **changes)


def test_findings_are_the_options_of_the_kind() -> None:
    assert request().findings == RegionOptions()
    assert request(findings={"flip": True}).findings == RegionOptions(flip=True)
    with pytest.raises(InputError, match="findings: give RegionOptions for half-orbits"):
        request(findings=LayerOptions())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: RegionOptions(treshold=0.5), "did you mean threshold"),
        (lambda: RegionOptions(threshold="high"), "threshold"),
        (lambda: ModelOptions(batch=-1), "batch -1: give 1 or more, or 0"),
        (lambda: ModelOptions(engine="fast"), "engine 'fast': give"),
        (lambda: request(max_quarantined=2), "max-quarantined 2"),
    ],
)
def test_what_cannot_be_is_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        make()
    assert "\n" not in str(caught.value)
