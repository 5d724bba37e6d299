"""Campaigns of ionograms with leading edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from odm.catalog.campaign import load_campaign
from odm.catalog.ionogram.layers import EDGE_FIELDS
from odm.core.errors import InputError
from odm.findings.edges import EdgeSettings
from odm.findings.layer_rows import edge_columns, edge_rows, find_edges
from odm.findings.layers import Layer
from odm.images.layer_truth import read_layers
from odm.models.card import read_model_card
from odm.models.pipeline import save_pipeline
from odm.models.shipped import shipped_model
from odm.reprocess.driver import reprocess
from odm.reprocess.ionogram import IonogramStages, prepare_layers
from odm.reprocess.order import Order, Preparation, open_order
from odm.reprocess.request import LayerOptions, ModelOptions, ReprocessRequest
from odm.reprocess.runners.local import run_local
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.recipe import IonogramSimulation
from tests.findings.edge_cases import FREQUENCY, RANGES, curve, echo, layer_of, snr
from tests.test_cli import run


def prepared(folder: object = None, **layers: Any) -> Preparation[IonogramStages]:
    """What a model and options mean."""
    named = None if folder is None else str(folder)
    run = ModelOptions(folder=named, engine="eager", device="cpu")
    return prepare_layers(run, LayerOptions(**layers))


def order(folder: Path, campaign: Path, model: Path | None = None, **layers: Any) -> Order:
    """A campaign over the archive in ``folder``."""
    named = None if model is None else str(model)
    request = ReprocessRequest(
        kind="ionograms",
        archive=str(folder / "archive"),
        campaign=str(campaign),
        findings=layers,
        model=ModelOptions(folder=named, engine="eager", device="cpu"),
    )
    return open_order(request)


def ionogram(convention: str = "backscatter", ranges: np.ndarray = RANGES) -> xr.Dataset:
    return xr.Dataset(
        {"snr": (("frequency", "group_range"), snr(echo(curve()), 8))},
        coords={"frequency": FREQUENCY, "group_range": ranges},
        attrs={"range_convention": convention},
    )


F_LAYER = layer_of("F", echo(curve()))


def test_a_row_has_every_column_and_what_it_says_is_near_the_truth() -> None:
    (edge,) = find_edges(ionogram(), [F_LAYER], EdgeSettings())
    (row,) = edge_rows([edge])
    assert set(row) == {one.name for one in EDGE_FIELDS} or row["inversion_reason"]
    truth = np.interp(row["edge_frequency"], FREQUENCY, curve())
    assert np.median(np.abs(np.array(row["edge_group_range"]) - truth)) < 5
    lengths = {len(row[name]) for name in ("edge_frequency", "edge_sigma", "edge_confidence")}
    assert lengths == {len(row["edge_group_range"])} and row["edge_frequency"]
    assert row["edge_frequency_max"] == row["edge_frequency"][-1]
    assert row["minimum_group_range"] == min(row["edge_group_range"])
    assert edge_columns(edge, inverted=None)["inversion_reason"] == "not asked for"


def test_where_there_can_be_no_edge_there_is_none_and_the_row_says_why() -> None:
    uneven = RANGES + 0.2 * np.arange(RANGES.size) % 3
    for data, layer, flag in (
        (ionogram("vertical"), F_LAYER, "other convention"),
        (ionogram("oblique"), F_LAYER, "other convention"),
        (ionogram(ranges=uneven), F_LAYER, "uneven ranges"),
        (ionogram(), Layer("E", 1.0, 8e6, 9e6, 600, 800), "other layer"),
        (ionogram(), Layer("Es", 1.0, 8e6, 9e6, 9000, 9100), "outside window"),
    ):
        (row,) = edge_rows(find_edges(data, [layer], EdgeSettings()))
        assert row["edge_flags"] == [flag]
        assert row["edge_frequency"] == row["edge_group_range"] == []
        assert row["edge_frequency_max"] is None
        assert row["inversion_reason"] == "there is no edge"
    assert find_edges(ionogram(), [], EdgeSettings()) == []


def test_settings_that_cannot_be_meant() -> None:
    for model, options, says in (
        (None, {"edge": "canny"}, "edge 'canny': give path, feng or none"),
        (None, {"layers": "raw"}, "layers 'raw': give boxes or segments"),
        ("yolox_nano", {"layers": "segments"}, "has no segmenter: give a pipeline"),
        (None, {"layers": "boxes", "edge": "none"}, "give no --layers with --edge none"),
        (None, {"layers": "segments", "edge": "none"}, "give no --layers with --edge none"),
    ):
        with pytest.raises(InputError, match=says):
            prepared(model, **options)


def test_the_package_brings_a_pipeline(tmp_path: Path) -> None:
    """Named by no folder, it is the pipeline that `odm pipeline` makes of the two models."""
    folders = {"detector": shipped_model("detector"), "segmenter": shipped_model("layers")}
    digest = save_pipeline(tmp_path / "both", folders)
    for folder, options in ((None, {}), (None, {"layers": "segments"}), ("layers", {})):
        found = prepared(folder, **options)
        assert found.stages.model == found.inference.digest == digest
        assert found.stages.edges == EdgeSettings("path", "segments")
        assert found.settings["edges"]["inverted"] and len(found.inference.networks()) == 2
    detector = read_model_card(folders["detector"]).digest
    for folder, options in (
        (None, {"layers": "boxes"}),
        (None, {"edge": "none"}),
        ("yolox_nano", {}),
    ):
        found = prepared(folder, **options)
        assert found.stages.model == detector and found.inference.networks() == [detector]
    boxes = prepared("layers", layers="boxes")
    assert boxes.inference.digest == digest and boxes.inference.networks() == [detector]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three simulated ionograms and a campaign with edges."""
    tmp = tmp_path_factory.mktemp("edges")
    simulate_ionograms(
        tmp / "archive", IonogramSimulation(count=3, seed=5, kind="f", difficulty=0.2)
    )
    assert reprocess(order(tmp, tmp / "campaign"), run_local).pending == 0
    return tmp


def test_a_campaign_finds_edges(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = load_campaign(done / "campaign")
    assert campaign.card.settings["edges"]["layers"] == "segments"
    rows = campaign.outcomes().to_pylist()
    layers = [layer for row in rows for layer in row["findings"]]
    assert len(rows) == 3 and sum(bool(one["edge_frequency"]) for one in layers) >= 2
    for one in layers:
        assert one["edge_frequency"] or one["edge_flags"]
        assert (one["critical_frequency"] is None) == bool(one["inversion_reason"])
    truth = done / "archive" / "truth.parquet"
    code, out, _ = run(capsys, "score", done / "campaign", "--truth", truth, "--json")
    assert code == 0
    edges = json.loads(out)["edges"]
    assert [row["layer"] for row in edges] == ["Es", "F"]
    known = [one for some in read_layers(done / "archive").values() for one in some]
    seen = sum(int((one.edge_snr >= 6).sum()) for one in known)
    assert sum(row["points"] for row in edges) == seen
    f = edges[1]
    assert f["coverage"] > 0.8 and f["median_km"] < 7.5
    brief = run(capsys, "score", done / "campaign", "--truth", truth, "--brief")[1]
    assert "Leading edges" in brief


def test_edges_belong_to_the_campaign(done: Path) -> None:
    for options, says in (
        ({"edge": "feng"}, r"edges\.method is path there and feng here"),
        ({"invert": False}, r"edges\.inverted is true there and false here"),
        ({"edge": "none"}, r"settings\.edges"),
    ):
        with pytest.raises(InputError, match=says):
            order(done, done / "campaign", **options)


def test_a_pipeline_cuts_along_segments(done: Path, tmp_path: Path) -> None:
    from odm.models.folder import save_model
    from odm.models.networks.segmenters import create_segmenter

    detector = shipped_model("detector")
    image = prepared().stages.image.to_dict()
    options = {"encoder": "tu-mobilenetv3_small_100", "decoder_channels": [32, 24, 16, 8, 8]}
    model = create_segmenter("unet", classes=3, **options).eval()
    smaller = {**image, "height": 128, "width": 128}
    save_model(tmp_path / "segmenter", model, image=smaller, thresholds={})
    both = {"detector": detector, "segmenter": tmp_path / "segmenter"}
    digest = save_pipeline(tmp_path / "both", both)
    found = prepared(tmp_path / "both")
    assert found.stages.model == found.inference.digest == digest
    assert found.stages.edges == EdgeSettings("path", "segments")
    seen = found.inference.load()(np.zeros((3, 256, 256), np.uint8))
    assert [one.segments.shape for one in seen] == [(256, 256)] * 3
    whole = order(done, tmp_path / "campaign", tmp_path / "both")
    assert reprocess(whole, run_local).counts["quarantined"] == 0
    other = {**image, "range_max": 4000.0}
    save_model(tmp_path / "segmenter", model, image=other, thresholds={})
    save_pipeline(tmp_path / "other", both)
    with pytest.raises(InputError, match="the detector's images have range_max 5000"):
        prepared(tmp_path / "other")
