"""`odm train detector --local`: from labelled ionograms to a model folder, and its evaluation."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from odm.cli import app
from odm.core.errors import InputError
from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramDatasetConfig,
    IonogramSplit,
)
from odm.findings.layers import LayerFinder
from odm.images.ionogram import IonogramImageSettings
from odm.models.folder import load_model, read_model_card
from odm.models.pipeline import save_pipeline
from odm.models.shipped import shipped_model
from odm.scoring.evaluation import EvaluationSettings, Part, Running, evaluate_model
from odm.training.errors import TrainingError
from odm.training.plans import plan_training
from odm.training.settings import DetectorSettings, read_settings
from tests.training.tiny_boxes import write_archive

CONFIG = """
data: {batch_size: 4, validation_batch_size: 2, mosaic: 0.5, plain_epochs: 1}
schedule: {epochs: 2, warmup_epochs: 0}
runtime: {device: cpu, loader_threads: 1, log_steps: 1, tensorboard: false}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("detector")
    (top / "archive").mkdir()
    write_archive(top / "archive", 16)
    config = IonogramDatasetConfig(
        archive=str(top / "archive"),
        annotations=str(top / "archive" / "labels.json"),
        image=IonogramImageSettings(height=64, width=64),
        split=IonogramSplit(train=0.5, validation=0.25, test=0.25, group_hours=0, seed=1),
    )
    IonogramDataset.create(top / "dataset.yaml", config)
    (top / "config.yaml").write_text(CONFIG)
    return top


def call(folder: Path, *arguments: object) -> Any:
    words = ["train", "detector", "--local", "--data", str(folder / "dataset.yaml")]
    words += [str(argument) for argument in arguments]
    return CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Any]:
    out = folder / "runs"
    done = call(folder, "--config", folder / "config.yaml", "--out", out, "--json")
    assert done.exit_code == 0
    assert "ionograms for training" in done.stderr
    return json.loads(done.stdout)


def test_a_run_and_its_model(trained: dict[str, Any], folder: Path) -> None:
    run = Path(trained["run"])
    assert run.name.startswith("yolox_nano-")
    assert (trained["epoch"], trained["ended"]) == (2, "epochs")
    assert {"ap", "ap50", "ap25", "ap50_Es", "loss"} <= set(trained["validation"])
    card = read_model_card(run / "model")
    assert card.architecture["kind"] == "detector"
    assert card.architecture["options"]["classes"] == ["Es", "F"]
    assert card.thresholds["overlap"] == 0.5
    assert IonogramImageSettings.from_dict(dict(card.image)).height == 64
    assert "statement" not in card.notes  # people's labels: it is no simulation
    stored = yaml.safe_load((run / "config.yaml").read_text())
    assert stored["model"]["options"]["in_channels"] == 3
    again = call(folder, "--config", folder / "config.yaml", "--out", folder / "runs")
    assert f"{trained['model']}: yolox_nano, best in epoch" in again.stdout
    assert "validation: ap " in again.stdout


def test_fine_tuning_starts_from_the_model(trained: dict[str, Any], folder: Path) -> None:
    """Which is named by a pipeline that holds it, too."""
    both = folder / "both"
    save_pipeline(both, {"finder": trained["model"], "segmenter": shipped_model()})
    few = ["data.batch_size=4", "schedule.epochs=1", "optimiser.learning_rate=1e-9"]
    few += ["schedule.minimum=0", "runtime.device=cpu", "optimiser.weight_decay=0"]
    out = folder / "tuned"
    done = call(folder, "--out", out, "--init", str(both), "--json", *few)
    before = load_model(trained["model"]).model.state_dict()
    after = load_model(json.loads(done.stdout)["model"]).model
    for name, value in after.named_parameters():
        assert (value - before[name]).abs().max() < 1e-5, name


def test_bad_input_is_a_sentence(trained: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    def planned(*overrides: str, data: Path = folder / "dataset.yaml", init: Any = None) -> None:
        settings = read_settings(folder / "config.yaml", overrides, DetectorSettings)
        plan_training("detector", settings, data, tmp_path, init)

    with pytest.raises(TrainingError, match=r"classes Es, F and the model E, F: set"):
        planned("model.options.classes=[E, F]")
    with pytest.raises(InputError, match="did you mean yolox_tiny"):
        planned("model.architecture=yolox_tini")
    with pytest.raises(InputError, match=r"did you mean data\.mosaic"):
        planned("data.mosaik=1")
    with pytest.raises(
        InputError, match=r"plain_epochs = 3 is more than schedule.epochs = 2: set both"
    ):
        planned("data.plain_epochs=3")
    with pytest.raises(TrainingError, match="another architecture, yolox_nano"):
        planned("model.architecture=yolox_tiny", init=trained["model"])
    content = yaml.safe_load((folder / "dataset.yaml").read_text())
    orbits = tmp_path / "orbits.yaml"
    orbits.write_text(yaml.safe_dump({k: v for k, v in content.items() if k != "kind"}))
    with pytest.raises(InputError, match="is a data set of half-orbits"):
        planned(data=orbits)
    content["split"] = {"by": "whole", "part": "train"}
    content["archive"] = str(folder / "archive")
    content["annotations"] = str(folder / "archive" / "labels.json")
    whole = tmp_path / "whole.yaml"
    whole.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match="is a segmenter: a detector cannot be"):
        planned(init=str(shipped_model()))
    with pytest.raises(TrainingError, match="no labelled ionogram for validation"):
        planned(data=whole)


def test_evaluated_and_saved(trained: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    data = IonogramDataset.load(folder / "dataset.yaml")
    model = trained["model"]
    settings = EvaluationSettings(running=Running(batch=3, engine="eager", device="cpu"))
    done = evaluate_model(model, data, settings)
    assert done.sheet.counts["ionograms"] == len(data.samples("test"))
    calibration = done.calibration
    assert calibration.fitted_on.startswith("validation of") and done.examples
    layers = sum(len(sample.labelled.layers) for sample in data.samples("validation"))
    few = f"few true layers ({layers}; ionograms: {len(data.samples('validation'))})"
    assert any(few in note for note in done.notes)
    digest = read_model_card(model).digest
    card = done.save()
    assert card.digest != digest or calibration.thresholds == card.thresholds
    assert card.metrics["calibration"]["threshold"] == calibration.settings.threshold
    assert card.metrics["scores"][0]["part"] == "test"
    assert "simulation_seed" in card.metrics["scores"][0]
    # Scores of another threshold leave the card; those of the same one stay.
    copy = shutil.copytree(model, tmp_path / "copy")
    stricter = replace(calibration, settings=replace(calibration.settings, threshold=0.77))
    part = Part(data, "validation")
    other = replace(done, calibration=stricter, part=part, folder=str(copy))
    entries = other.save("drawn by hand").metrics["scores"]
    assert [(one["part"], one["name"]) for one in entries] == [("validation", "drawn by hand")]
    again = evaluate_model(model, data, settings)
    card = replace(other, part=Part(data, "test")).save()
    assert [one["part"] for one in card.metrics["scores"]] == ["validation", "test"]
    assert not any("few true layers" in note for note in again.notes)
    assert again.calibration.fitted_on == "the model folder"
    assert again.calibration.settings == calibration.settings
    out = tmp_path / "scores"
    words = [
        "evaluate",
        model,
        str(folder / "dataset.yaml"),
        "--engine",
        "eager",
        "--out",
        str(out),
    ]
    shown = CliRunner().invoke(app, [*words, "--device", "cpu"], catch_exceptions=False)
    assert "Layers, score >=" in shown.stdout and "The paper" in shown.stdout
    assert (out / "curves.png").is_file() and (out / "examples.png").is_file()


def test_no_option_of_a_detector_is_dropped(
    trained: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    content = yaml.safe_load((folder / "dataset.yaml").read_text())
    content["split"] = {"by": "whole", "part": "validation"}
    other = folder / "other.yaml"
    other.write_text(yaml.safe_dump(content))
    words = ["evaluate", trained["model"], str(folder / "dataset.yaml"), "--engine", "eager"]
    words += ["--device", "cpu", "--json"]

    def called(*more: str) -> Any:
        return CliRunner().invoke(app, [*words, *more])

    for option in (["--flip"], ["--overlap", "0.25"], ["--resamples", "1000"]):
        done = called(*option)
        assert isinstance(done.exception, InputError)
        assert f"{option[0]} is for a segmenter" in str(done.exception)
    done = called("--validation", str(other))
    digest = IonogramDataset.load(other).digest
    source = json.loads(done.stdout)["about"]["temperature and threshold from"]
    assert source == f"validation of data set {digest[:12]}"
    assert "calibrated on the very ionograms that are scored" in done.stderr
    done = called("--fit-thresholds")
    digest = IonogramDataset.load(folder / "dataset.yaml").digest
    source = json.loads(done.stdout)["about"]["temperature and threshold from"]
    assert source == f"validation of data set {digest[:12]}"
    assert "the very ionograms" not in done.stderr
    for more in (["--fit-thresholds"], ["--validation", str(other)]):
        assert isinstance(called("--calibrate-on", "none", *more).exception, InputError)


def test_layers_in_physical_units(trained: dict[str, Any], folder: Path) -> None:
    from odm.datasets.ionogram import load_ionogram_sample
    from odm.models.boxes import ANY_SCORE

    finder = LayerFinder.open(trained["model"], engine="eager", device="cpu", batch=2)
    finder.settings = ANY_SCORE
    for layer in (*finder.predictor.model.head.obj_preds, *finder.predictor.model.head.cls_preds):
        layer.bias.data.fill_(2.0)  # hardly trained, it sees nothing anywhere
    sample = IonogramDataset.load(folder / "dataset.yaml").samples("test")[0]
    image, _ = load_ionogram_sample(sample, finder.image)
    (layers,) = finder.layers(image[None])
    assert layers and all(one.layer in ("Es", "F") for one in layers)
    assert all(5.9e6 <= one.frequency_min < one.frequency_max <= 30.1e6 for one in layers)
    assert all(0 <= one.range_min < one.range_max <= 5000 for one in layers)
    with pytest.raises(InputError, match="images are uint8"):
        finder(image[None].astype(float))
