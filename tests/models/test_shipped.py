"""The models that come with the package."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch

from odm.core.errors import InputError
from odm.core.statement import SIMULATED_DATA
from odm.models import shipped
from odm.models.folder import load_model
from odm.models.pipeline import read_digest
from odm.models.shipped import model_folder, shipped_model, shipped_names, shipped_with
from odm.scoring.orbit.methods import open_method


def test_the_shipped_segmenter_is_whole_small_calibrated_and_says_what_it_is() -> None:
    folder = shipped_model("segmenter")
    assert folder.parent == files("odm.models.shipped")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8e6
    method = open_method(folder)  # compares digests of weights and card
    card = method.card
    assert card is not None and card.weights["dtype"] == "float16"
    assert method.temperature is not None
    assert all(torch.isfinite(value).all() for value in method.segmenter.state_dict().values())
    assert card.notes["statement"] == SIMULATED_DATA
    drawn, calibration = card.notes["drawn"], card.metrics["calibration"]
    assert max(drawn["seed"], drawn["validation"]["seed"]) < min(calibration["seeds"])
    assert max(calibration["seeds"]) < 900_000  # what belongs to the frozen tests begins there
    assert set(calibration["skies"]) <= set(drawn["skies"])
    scored = {entry["name"].partition(",")[0] for entry in card.metrics["scores"]}
    assert set(drawn["skies"]) | {"home"} <= scored
    for entry in card.metrics["scores"]:
        assert entry["statement"] == SIMULATED_DATA


def test_the_shipped_detector_names_its_seeds_and_what_it_was_scored_on() -> None:
    card = load_model(shipped_model("detector")).card  # compares digests of weights and card
    assert (card.notes["recipe"], card.notes["seed"]) == ("make detector", 301)
    scores = {entry["name"]: entry["simulation_seed"] for entry in card.metrics["scores"]}
    assert list(scores.values()) == [301, 302, 302]
    assert card.notes["statement"] == SIMULATED_DATA


def test_every_shipped_model_is_found_by_its_digest() -> None:
    assert set(shipped.SHIPPED.values()) <= set(shipped_names())
    for name in shipped_names():
        folder = model_folder(name)
        assert shipped_with(read_digest(folder)) == folder
    assert shipped_with("0" * 64) is None


def test_a_kind_that_is_not_carried_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shipped.SHIPPED, "segmenter", "none")
    with pytest.raises(InputError, match="carries no segmenter: name a model folder"):
        shipped_model("segmenter")


def test_a_shipped_model_is_known_by_its_name_unless_a_folder_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Whatever the default is: campaigns that were begun with another go on with that.
    monkeypatch.setitem(shipped.SHIPPED, "segmenter", "another")
    own = str(files("odm.models.shipped") / "odm_unet_small")
    assert model_folder("odm_unet_small") == own
    assert model_folder("runs/odm_unet_small") == "runs/odm_unet_small"
    assert model_folder("log") == "log"
    assert model_folder("") == "" and model_folder("__pycache__") == "__pycache__"
    (tmp_path / "odm_unet_small").mkdir()
    assert model_folder("odm_unet_small") == own
    (tmp_path / "odm_unet_small" / "model.json").touch()
    assert model_folder("odm_unet_small") == "odm_unet_small"
