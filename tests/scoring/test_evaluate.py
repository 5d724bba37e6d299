"""A method on one part of a data set, calibrated on another, and back into its folder."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from odm.cli import app
from odm.core.errors import InputError, OdmError
from odm.core.kinds import ORBITS
from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig
from odm.datasets.splits import OrbitSplit
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.models.folder import load_model, save_model
from odm.models.networks.base import SegmentationModel
from odm.models.networks.segmenters import create_segmenter
from odm.models.predictor import Predictor
from odm.scoring.evaluation import (
    FEW,
    Evaluation,
    EvaluationSettings,
    Meter,
    Running,
    evaluate_model,
    few_warning,
)
from odm.scoring.orbit.maps import LabelledOrbits, MapSource, fit_thresholds, score_archive
from odm.scoring.orbit.methods import SegmentationMethod, differing_images, open_method
from odm.scoring.orbit.truth import Truth
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation

IMAGE = OrbitImageSettings(-9.2, -7.0, "resized", 256, 256)
EAGER = Running(engine="eager", device="cpu")
LOOSE = RegionSettings(threshold=0.5, low_threshold=0.5)


class Brightness(SegmentationModel):
    """Bright is a nucleus, and it is far too sure of that; real, and learned by nobody."""

    def __init__(self, sureness: float = 60.0, classes: int = 2) -> None:
        super().__init__("brightness", {}, in_channels=1, classes=classes)
        self.sureness = nn.Parameter(torch.tensor(sureness))

    def logits(self, x: Tensor) -> Tensor:
        smooth = nn.functional.avg_pool2d(x, 9, stride=1, padding=4)
        foreground = self.sureness * (smooth - 0.9)
        return torch.cat([torch.zeros_like(foreground), foreground], dim=1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> OrbitDataset:
    folder = tmp_path_factory.mktemp("evaluate")
    simulate_orbits(
        folder / "archive",
        OrbitSimulation(half_orbits=13, prevalence=1.0, seed=3, every=76, components="z"),
    )
    return made(folder, "dataset", OrbitSplit(train=1, validation=1, test=1))


def made(folder: Path, name: str, split: OrbitSplit) -> OrbitDataset:
    path = folder / f"{name}.yaml"
    archive = str(folder / "archive")
    return OrbitDataset.create(
        path, OrbitDatasetConfig(archive=archive, annotations=archive, image=IMAGE, split=split)
    )


@pytest.fixture(scope="module")
def folder(dataset: OrbitDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, with weights in half precision."""
    torch.manual_seed(0)
    options: dict[str, Any] = {
        "encoder": "tu-mobilenetv3_small_050", "decoder_channels": [16, 16, 8, 8, 8],
        "pretrained": "none",
    }  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "model"
    model: Any = create_segmenter("unet", **options)
    with torch.no_grad():
        model.net.segmentation_head[0].bias[0] += 2  # it sees little, so little is measured
    save_model(
        path,
        model,
        image=IMAGE.to_dict(),
        thresholds=RegionSettings().to_dict(),
        training_data=dataset.digest,
        metrics={"validation": {"dice": 0.5}},
        half=True,
    )
    return path


def evaluated(
    model: object, dataset: object, meter: Meter | None = None, **settings: Any
) -> Evaluation:
    """The evaluation on the CPU, without intervals unless they are asked for."""
    values = EvaluationSettings(**{"running": EAGER, "resamples": 0, **settings})
    return evaluate_model(model, dataset, values, meter)


def scored(source: MapSource, orbits: LabelledOrbits, regions: RegionSettings = LOOSE) -> Any:
    return score_archive(source, orbits, regions).sheet(resamples=0)


def labelled(dataset: OrbitDataset, entries: Any) -> LabelledOrbits:
    return LabelledOrbits(entries, Truth.load(dataset.archive))


def brightness(temperature: float) -> MapSource:
    predictor = Predictor(Brightness(), engine="eager", device="cpu", temperature=temperature)
    return MapSource(predictor, IMAGE)


@pytest.fixture(scope="module")
def bright(dataset: OrbitDataset) -> Evaluation:
    method = SegmentationMethod(Brightness(), "brightness", IMAGE, LOOSE)
    return evaluated(method, dataset, fit_thresholds=True, resamples=10)


def at_one(dataset: OrbitDataset, part: str, temperature: float = 1.0) -> Any:
    """The sheet of `Brightness` on a part, made by hand."""
    return scored(brightness(temperature), labelled(dataset, dataset.samples(part)))


def test_the_temperature_is_from_validation_and_not_from_what_is_scored(
    dataset: OrbitDataset, bright: Evaluation
) -> None:
    fitted = at_one(dataset, "validation").calibration["temperature"]
    assert fitted > 2
    assert bright.calibration.temperature == round(fitted, 4)
    assert bright.calibration.temperature != round(
        at_one(dataset, "test").calibration["temperature"], 4
    )
    of_sheet = bright.sheet.calibration
    assert of_sheet["temperature"] == bright.calibration.temperature
    assert of_sheet["fitted_on"] == f"validation of data set {dataset.digest[:12]}"
    assert of_sheet["applied"]
    assert of_sheet["fitted_on"] in bright.sheet.to_text()
    # The maps are at the temperature, and undoing that gives what the model said.
    tempered = at_one(dataset, "test", fitted).calibration
    assert of_sheet["scaled"]["ece"] == pytest.approx(tempered["ece"], abs=1e-5)
    plain = at_one(dataset, "test").calibration
    assert of_sheet["ece"] == pytest.approx(plain["ece"], abs=1e-3)


def test_what_is_scored_is_the_part(dataset: OrbitDataset, bright: Evaluation) -> None:
    assert bright.sheet.counts["half_orbits"] == len(dataset.samples("test"))
    assert bright.part is not None
    assert (bright.part.name, bright.part.data.digest, bright.part.seed) == (
        "test", dataset.digest, 3,
    )  # fmt: skip
    assert bright.sheet.about["seed"] == 3
    assert dataset.digest in bright.sheet.about["data"]
    assert "simulated" in bright.sheet.caveat
    paths = {sample.path for sample in dataset.samples("test")}
    assert bright.examples and {one.path for one in bright.examples} <= paths


def test_thresholds_of_few_regions_are_warned_of(dataset: OrbitDataset, bright: Evaluation) -> None:
    nuclei = bright.calibration.facts["regions"]["nuclei"]
    number = len(dataset.samples("validation"))
    assert 0 < nuclei < FEW
    (note,) = (note for note in bright.notes if "follow chance" in note)
    assert f"few true regions ({nuclei}; half-orbits: {number})" in note
    method = SegmentationMethod(Brightness(), "brightness", IMAGE, LOOSE)
    plain = evaluated(method, dataset)
    assert not any("follow chance" in note for note in plain.notes)
    assert few_warning(ORBITS, FEW, 9) == []


def test_thresholds_are_the_best_of_validation(dataset: OrbitDataset, bright: Evaluation) -> None:
    chosen = bright.calibration.settings
    f1 = bright.calibration.facts["regions"]["f1"]
    assert chosen.minimum_area == LOOSE.minimum_area
    assert bright.sheet.threshold == chosen.threshold

    def score(regions: RegionSettings) -> float:
        source = brightness(bright.calibration.temperature)
        sheet = scored(source, labelled(dataset, dataset.samples("validation")), regions)
        return float(sheet.score("contour", 0.25)["f1"])

    assert score(chosen) == pytest.approx(f1)
    assert f1 > 0
    for other in (LOOSE, RegionSettings(0.6, 0.4), RegionSettings(0.8, 0.2)):
        assert score(other) <= f1


def test_thresholds_of_the_truth_find_all_of_it(dataset: OrbitDataset) -> None:
    from tests.scoring.test_score_archive import Oracle

    oracle = Oracle(Path(dataset.archive), IMAGE)
    samples = dataset.all_samples
    fitted = fit_thresholds(MapSource(oracle, IMAGE, 3), labelled(dataset, samples))
    assert (fitted.f1, fitted.regions.threshold) == (1, 1)
    assert fitted.nuclei >= 5
    # Nothing is better than nothing found: the settings stay.
    nothing = MapSource(np.zeros_like, IMAGE)
    dark = fit_thresholds(nothing, labelled(dataset, samples[:3]))
    assert (dark.f1, dark.regions) == (0, RegionSettings())


def test_calibration_on_the_scored_data_says_so(dataset: OrbitDataset) -> None:
    method = SegmentationMethod(Brightness(), "brightness", IMAGE, LOOSE)
    done = evaluated(method, dataset, calibrate_on="scored")
    number = len(dataset.samples("test"))
    told = f"test of data set {dataset.digest[:12]}, {number} of them are scored"
    assert done.sheet.calibration["fitted_on"] == told
    # Another data set may hold in its validation part what is scored here.
    swapped = made(
        Path(dataset.archive).parent, "swapped", OrbitSplit(by="whole", part="validation")
    )
    other = evaluated(method, dataset, validation=swapped, calibrate_on="validation")
    assert other.sheet.calibration["fitted_on"].endswith(f", {number} of them are scored")
    assert any("very half-orbits that are scored" in note for note in other.notes)
    assert any("very half-orbits that are scored" in note for note in done.notes)
    plain = evaluated(method, dataset, calibrate_on="none")
    assert plain.calibration.temperature == 1
    assert plain.sheet.calibration["fitted_on"] == "the scored data"
    assert not plain.sheet.calibration["applied"]
    assert plain.sheet.about["temperature from"] == "nowhere: not calibrated"


def test_a_validation_set_that_is_named_is_used_where_the_model_has_a_temperature(
    dataset: OrbitDataset,
) -> None:
    method = SegmentationMethod(Brightness(), "brightness", IMAGE, LOOSE, temperature=7.5)
    kept = evaluated(method, dataset)
    assert kept.calibration.temperature == 7.5
    anew = evaluated(method, dataset, validation=dataset)
    assert anew.calibration.temperature == round(
        at_one(dataset, "validation").calibration["temperature"], 4
    )
    assert anew.calibration.fitted_on.startswith(f"validation of data set {dataset.digest[:12]}")


def test_saved_and_used_again(dataset: OrbitDataset, folder: Path) -> None:
    before = load_model(folder)
    method = open_method(folder)
    assert method.temperature is None
    first = evaluated(method, dataset, fit_thresholds=True)
    card = first.save()
    assert card.digest != before.card.digest
    assert card.weights == before.card.weights  # half precision and all
    assert card.thresholds["temperature"] == first.calibration.temperature
    assert card.metrics["validation"] == {"dice": 0.5}
    assert card.metrics["calibration"]["data"] == dataset.digest
    (entry,) = card.metrics["scores"]
    assert (entry["part"], entry["data"], entry["seed"]) == ("test", dataset.digest, 3)
    assert set(entry["regions"]) == {"0.25", "0.5"}
    assert "unknown" in entry["statement"]

    told: list[str] = []

    def meter(what: str, total: int, unit: str) -> Any:
        from contextlib import nullcontext

        told.append(what)
        return nullcontext(lambda number: None)

    again = open_method(folder)
    assert again.temperature == first.calibration.temperature
    assert again.regions == first.calibration.settings
    second = evaluated(again, dataset, meter=meter)
    assert told == ["scoring"]  # nothing is fitted again
    assert second.calibration.fitted_on == "the model folder"
    assert second.sheet.calibration["fitted_on"] == "the model folder"
    regions = [json.loads(done.sheet.to_json())["regions"] for done in (first, second)]
    assert regions[0] == regions[1]
    assert len(second.save().metrics["scores"]) == 1
    other = evaluated(again, dataset, part="validation")
    assert "the model folder was calibrated on these half-orbits" in other.notes
    assert not any("was calibrated on" in note for note in second.notes)
    assert len(other.save().metrics["scores"]) == 2
    # With another calibration, earlier scores are no longer this model's.
    plain = open_method(folder)
    changed = evaluated(replace(plain, regions=LOOSE), dataset, part="train")
    (entry,) = changed.save().metrics["scores"]
    assert entry["part"] == "train"


def test_a_method_without_learning_by_name(dataset: OrbitDataset) -> None:
    done = evaluated("log", dataset, fit_thresholds=True)
    assert done.calibration.temperature == 1
    assert done.calibration.thresholds_on.startswith("validation")
    # Its scales are in native pixels.
    assert done.sheet.about["image"]["mode"] == "native"
    assert any("mode native instead of resized" in note for note in done.notes)
    with pytest.raises(InputError, match="no model folder"):
        done.save()


def test_one_hemisphere(dataset: OrbitDataset) -> None:
    """A data set may show one hemisphere only, to the model and to the scores."""
    rule = OrbitSplit(by="hemisphere", train=1, validation=1, test=1, hemisphere="north")
    north = made(Path(dataset.archive).parent, "north", rule)
    (south,) = {sample.hemisphere for sample in north.samples("test")}
    assert south == "south"
    counted = {row["part"]: row["nuclei"] for row in north.parts}

    def everywhere(images: np.ndarray) -> np.ndarray:
        return np.where(images > 0, 255, 0).astype(np.uint8)

    everything = MapSource(everywhere, IMAGE)
    for part, count in (("train", counted["train"]), ("test", counted["test"])):
        regions = RegionSettings(minimum_area=1)
        sheet = scored(everything, labelled(north, north.samples(part)), regions)
        assert sheet.counts["nuclei"] == count
        shown = sum(sheet.calibration["bins"]["count"])
        whole = sum(
            scored(everything, labelled(north, [entry])).calibration["bins"]["count"][0]
            for entry in north.listing.entries
            if entry.key in {sample.key for sample in north.samples(part)}
        )
        assert 0.3 < shown / whole < 0.7
        # Nothing is found where nothing is shown.
        assert sheet.counts["found"] > 0


def test_the_command(dataset: OrbitDataset, folder: Path, tmp_path: Path) -> None:
    path = Path(dataset.archive).parent / "dataset.yaml"
    out = tmp_path / "scores"
    words = ["evaluate", str(folder), str(path), "--engine", "eager", "--resamples", "5"]
    done = CliRunner().invoke(app, [*words, "--json", "--out", str(out)], catch_exceptions=False)
    sheet = json.loads(done.stdout)
    assert sheet["counts"]["half_orbits"] == len(dataset.samples("test"))
    assert sheet == json.loads((out / "sheet.json").read_text())
    assert {one.name for one in out.iterdir()} >= {"sheet.json", "sheet.txt", "scores.png"}
    assert "half-orbits, " in done.stderr  # rate
    saved = CliRunner().invoke(
        app, [*words, "--calibrate-on", "validation", "--save"], catch_exceptions=False
    )
    digest = load_model(folder).card.digest
    assert f"saved: {folder} has digest {digest}" in saved.stdout
    assert f"saved as: {digest}" in saved.stdout


def test_scores_that_cannot_be_saved_are_not_lost(dataset: OrbitDataset, tmp_path: Path) -> None:
    made(Path(dataset.archive).parent, "unsplit", OrbitSplit(by="whole", part="test"))
    model = create_segmenter("unet", encoder="tu-mobilenetv3_small_050", pretrained="none")
    save_model(
        tmp_path / "model", model, image=IMAGE.to_dict(), thresholds=RegionSettings().to_dict()
    )
    data = Path(dataset.archive).parent / "unsplit.yaml"
    words = ["evaluate", str(tmp_path / "model"), str(data)]
    words += ["--engine", "eager", "--resamples", "0", "--json", "--save"]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, InputError) and "not calibrated" in str(done.exception)
    assert json.loads(done.stdout)["counts"]["half_orbits"] == len(dataset.all_samples)


def test_wrong_use(dataset: OrbitDataset, folder: Path, tmp_path: Path) -> None:
    path = Path(dataset.archive).parent / "dataset.yaml"

    def refused(kind: type[Exception], says: str, *words: str) -> None:
        with pytest.raises(kind, match=says) as caught:
            CliRunner().invoke(app, ["evaluate", *words], catch_exceptions=False)
        assert type(caught.value) is kind

    refused(InputError, "no model folder", str(tmp_path), str(path))
    refused(InputError, "odm_unet is an architecture", "odm_unet", str(path))
    refused(InputError, "nothing to save|no model folder", "log", str(path), "--save")
    none = ["--save", "--calibrate-on", "none"]
    refused(InputError, "cannot go with", str(folder), str(path), *none)
    refused(InputError, "give train, validation, test", "log", str(path), "--part", "tset")
    refused(InputError, "give auto", "log", str(path), "--calibrate-on", "test")
    refused(InputError, "no such file", "log", str(tmp_path / "dataset.yaml"))
    empty = made(Path(dataset.archive).parent, "empty", OrbitSplit(by="whole", part="test"))
    with pytest.raises(OdmError, match="no labelled half-orbit for train"):
        evaluated("log", empty, part="train")
    with pytest.raises(OdmError, match="no labelled half-orbit for validation"):
        evaluated("log", empty, fit_thresholds=True)
    with pytest.raises(OdmError, match=r"1 class beside the background .* and brightness 2"):
        evaluated(SegmentationMethod(Brightness(classes=3), "brightness", IMAGE), empty)


def test_without_a_validation_part_the_temperature_stays_one(dataset: OrbitDataset) -> None:
    whole = made(Path(dataset.archive).parent, "whole", OrbitSplit(by="whole", part="test"))
    method = SegmentationMethod(Brightness(), "brightness", IMAGE, LOOSE)
    done = evaluated(method, whole)
    assert done.calibration.temperature == 1
    assert any("no validation part" in note for note in done.notes)
    fitted = evaluated(method, whole, validation=dataset)
    number = len(dataset.samples("validation"))
    assert fitted.calibration.fitted_on == (
        f"validation of data set {dataset.digest[:12]}, {number} of them are scored"
    )
    assert fitted.calibration.temperature > 1


def test_images_that_differ_are_named() -> None:
    assert differing_images(IMAGE, IMAGE) == ""
    other = OrbitImageSettings(-9.2, -7.0, "resized", 256, 512)
    assert differing_images(IMAGE, other) == "width 256 instead of 512"
