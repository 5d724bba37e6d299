"""Model folders: what is saved is what is loaded, and every fault is one sentence."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from odm.core.errors import InputError
from odm.models.card import digest_of, read_model_card
from odm.models.folder import load_model, save_model
from odm.models.networks.classical import Canny
from odm.models.networks.segmenters import create_model, create_segmenter
from odm.models.pipeline import load_pipeline, member_of_kind, read_digest, save_pipeline
from odm.models.shipped import shipped_model

IMAGE = {"mode": "native", "height": 1024, "width": 1088, "minimum": -9.0, "maximum": -5.5}
THRESHOLDS = {"region": 0.5, "minimum_area": 40}


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("pspnet", encoder="tu-mobilenetv3_small_050", in_channels=1)


@pytest.fixture
def folder(model: torch.nn.Module, tmp_path: Path) -> Path:
    save_model(
        tmp_path / "model",
        model,
        image=IMAGE,
        thresholds=THRESHOLDS,
        training_data="abc",
        metrics={"iou": 0.7},
    )
    return tmp_path / "model"


def sentence(folder: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_model(folder, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(folder: Path, change: Any) -> None:
    card = json.loads((folder / "model.json").read_text())
    change(card)
    (folder / "model.json").write_text(json.dumps(card))


def weights_of(folder: Path) -> Path:
    (path,) = folder.glob("weights-*.safetensors")
    return path


def test_what_is_saved_is_loaded(model, folder: Path) -> None:
    loaded = load_model(folder)
    assert loaded.card.image == IMAGE
    assert loaded.card.thresholds == THRESHOLDS
    assert loaded.card.training_data == "abc"
    assert loaded.card.metrics == {"iou": 0.7}
    assert loaded.card.architecture["name"] == "pspnet"
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor)
    assert {path.name for path in folder.iterdir()} == {"model.json", weights_of(folder).name}


def test_saving_again_gives_the_same_digest(model, folder: Path, tmp_path: Path) -> None:
    again = save_model(tmp_path / "again", model, image=IMAGE, thresholds=THRESHOLDS)
    # Metrics and training data are not what decides an answer.
    assert again.digest == read_model_card(folder).digest == read_digest(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"image": {**IMAGE, "maximum": -5.0}},
        {"thresholds": {**THRESHOLDS, "region": 0.6}},
        {"half": True},
    ],
)
def test_what_decides_an_answer_changes_the_digest(
    model, folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    settings = {"image": IMAGE, "thresholds": THRESHOLDS, **change}
    other = save_model(tmp_path / "other", model, **settings)
    assert other.digest != read_digest(folder)


def test_overwriting_leaves_only_the_new(model, folder: Path) -> None:
    before = weights_of(folder).name
    other = create_model("pspnet", encoder="tu-mobilenetv3_small_050", in_channels=1)
    save_model(folder, other, image=IMAGE, thresholds=THRESHOLDS)
    assert weights_of(folder).name != before
    load_model(folder)


def test_half_precision(model, tmp_path: Path) -> None:
    save_model(tmp_path, model, image=IMAGE, thresholds={}, half=True)
    size = weights_of(tmp_path).stat().st_size
    exact = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    assert size < 0.62 * exact
    loaded = load_model(tmp_path).model.state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        if tensor.ndim < 2:
            assert torch.equal(loaded[name], tensor), name
        else:
            torch.testing.assert_close(loaded[name], tensor, rtol=1e-3, atol=1e-7)


def test_weights_cut_short(folder: Path) -> None:
    path = weights_of(folder)
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[: whole // 2])
    assert f"is cut short: {whole // 2:,} of {whole:,} bytes" in sentence(folder)


def test_weights_changed_or_lost(folder: Path) -> None:
    path = weights_of(folder)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert "the weights do not fit their digest" in sentence(folder)
    path.unlink()
    assert "has lost its weights" in sentence(folder)


def test_card_changed_names_the_part(folder: Path) -> None:
    edit(folder, lambda card: card["thresholds"].update(region=0.9))
    assert "its digest no longer fits the thresholds" in sentence(folder)
    edit(folder, lambda card: card["image"].update(height=512))
    assert "its digest no longer fits the image and thresholds" in sentence(folder)


def test_what_is_no_model_folder(folder: Path, tmp_path: Path) -> None:
    assert "is no model folder: it has no model.json" in sentence(tmp_path / "nothing")
    edit(folder, lambda card: card.pop("image"))
    assert "has no 'image'" in sentence(folder)
    edit(folder, lambda card: card.update(format=99))
    assert "newer version" in sentence(folder)
    (folder / "model.json").write_text("{")
    assert "is not JSON" in sentence(folder)


def test_expectations_name_what_differs(folder: Path) -> None:
    load_model(folder, expect={"image": {"height": 1024}})
    text = sentence(folder, expect={"image": {"height": 512, "component": "z"}})
    assert "image.height is 1024, not 512" in text
    assert "it has no image.component" in text
    classes = {"architecture": {"options": {"classes": 3}}}
    assert "architecture.options.classes is 2, not 3" in sentence(folder, expect=classes)
    assert "no colour" in sentence(folder, expect={"colour": 1})


def test_settings_that_are_no_json(model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written as JSON"):
        save_model(tmp_path, model, image={"minimum": float("nan")}, thresholds={})
    oracle = SimpleNamespace(kind="oracle", architecture="delphi", options={})
    with pytest.raises(InputError, match=r"a model is a segmenter or a detector, not a .oracle."):
        save_model(tmp_path, oracle, image={}, thresholds={})


def test_metrics_and_notes_may_hold_numpy_and_what_is_undefined(model, tmp_path: Path) -> None:
    card = save_model(
        tmp_path,
        model,
        image={"height": np.int64(64)},
        thresholds={"region": np.float64(0.5)},
        metrics={"iou": np.float32(0.5), "auc": float("nan"), "loss": [np.inf, 1.0]},
        notes={"curve": np.array([1.0, np.nan]), "found": np.bool_(True), "score": torch.tensor(2)},
    )
    assert read_model_card(tmp_path) == card
    assert card.metrics == {"iou": 0.5, "auc": None, "loss": [None, 1.0]}
    assert card.notes == {"curve": [1.0, None], "found": True, "score": 2}
    assert (card.image, card.thresholds) == ({"height": 64}, {"region": 0.5})


def test_what_a_model_is_wrapped_in_is_not_saved(model, folder: Path, tmp_path: Path) -> None:
    from torch import distributed

    compiled = torch.compile(model)
    # Wrapping one that is compiled, of one that is wrapped, as scripts do.
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        wrapped = {"a": compiled, "b": parallel, "c": torch.compile(parallel)}
        for name, one in wrapped.items():
            card = save_model(tmp_path / name, one, image=IMAGE, thresholds=THRESHOLDS)
            assert card.digest == read_digest(folder), name
    finally:
        distributed.destroy_process_group()


def small(value: float) -> torch.nn.Module:
    model = create_model("pspnet", encoder="tu-mobilenetv3_small_050", in_channels=1)
    with torch.no_grad():
        model.get_submodule("net.segmentation_head.0").weight[0, 0, 0, 0] = value
    return model


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    for value in (float("nan"), float("-inf")):
        with pytest.raises(InputError, match=r"not finite, net\.segmentation_head\.0\.weight"):
            save_model(tmp_path, small(value), image=IMAGE, thresholds=THRESHOLDS)
    assert not any(tmp_path.iterdir())


def test_weights_too_large_for_half_are_refused(tmp_path: Path) -> None:
    model = small(-1e5)
    with pytest.raises(InputError, match=r"float16: net\.seg.* holds 1e\+05, which is too large"):
        save_model(tmp_path, model, image=IMAGE, thresholds=THRESHOLDS, half=True)
    assert not any(tmp_path.iterdir())
    save_model(tmp_path, model, image=IMAGE, thresholds=THRESHOLDS)
    save_model(tmp_path, small(6e4), image=IMAGE, thresholds=THRESHOLDS, half=True)


def test_weights_of_another_architecture(folder: Path, tmp_path: Path) -> None:
    other = create_model("pspnet", encoder="tu-mobilenetv3_small_050", in_channels=1, classes=3)
    save_model(tmp_path / "other", other, image=IMAGE, thresholds=THRESHOLDS)
    data = weights_of(tmp_path / "other").read_bytes()
    weights_of(folder).write_bytes(data)

    def swap(card: dict[str, Any]) -> None:
        card["weights"].update(bytes=len(data), digest=hashlib.sha256(data).hexdigest())
        card["parts"]["weights"] = digest_of(card["weights"])
        card["digest"] = digest_of(card["parts"])

    edit(folder, swap)
    assert "is of another architecture: 2 tensors differ, net.segmentation_head.0." in sentence(
        folder
    )
    data = b"no tensors"
    weights_of(folder).write_bytes(data)
    edit(folder, swap)
    assert "is cut short, damaged or no safetensors file" in sentence(folder)


def test_the_digest_is_of_what_decides_an_answer_and_nothing_else(folder: Path) -> None:
    card = json.loads((folder / "model.json").read_text())

    def sha(value: Any) -> str:
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

    covered = ("architecture", "image", "thresholds", "weights")
    assert card["parts"] == {part: sha(card[part]) for part in covered}
    assert card["digest"] == sha(card["parts"])


def test_parts_that_fit_under_a_digest_that_does_not(folder: Path) -> None:
    def raise_threshold(card: dict[str, Any]) -> None:
        card["thresholds"]["region"] = 0.9
        card["parts"]["thresholds"] = digest_of(card["thresholds"])

    edit(folder, raise_threshold)
    assert sentence(folder).endswith("was changed after the model was saved: the digest.")


def test_a_device_that_is_not_there_is_one_sentence(folder: Path) -> None:
    missing = f"cuda:{torch.cuda.device_count()}"
    assert "GPUs here" in sentence(folder, device=missing)
    assert "cannot be used here" in sentence(folder, device="meta")
    load_model(folder, device="auto")


def test_a_method_without_learning_has_a_folder_too(tmp_path: Path) -> None:
    method = create_segmenter("canny", low=30)
    save_model(tmp_path, method, image=IMAGE, thresholds=THRESHOLDS)
    loaded = load_model(tmp_path)
    assert isinstance(loaded.model, Canny)
    assert loaded.model.options == method.options
    assert loaded.card.weights == {}


def test_pipeline(model, folder: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "edges", create_segmenter("canny"), image={}, thresholds={})
    digest = save_pipeline(tmp_path / "both", {"segmenter": folder, "detector": tmp_path / "edges"})
    pipeline = load_pipeline(tmp_path / "both")
    assert pipeline.digest == digest == read_digest(tmp_path / "both")
    assert pipeline.members["segmenter"].card == read_model_card(folder)
    # Another member under an old pipeline card is found out.
    save_model(tmp_path / "both" / "detector", create_segmenter("canny", low=1), image={},
               thresholds={})  # fmt: skip
    with pytest.raises(InputError, match="digest is"):
        load_pipeline(tmp_path / "both")
    with pytest.raises(InputError, match="no pipeline folder"):
        load_pipeline(folder)
    with pytest.raises(InputError, match="at least one"):
        save_pipeline(tmp_path / "none", {})


def test_the_member_of_a_kind(folder: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "edges", create_segmenter("canny"), image={}, thresholds={})
    assert member_of_kind(folder, "detector") == str(folder)  # whose card says what it is
    own = shipped_model("pipeline")  # it has its members beside it
    assert member_of_kind(own, "detector") == str(shipped_model("detector"))
    one = tmp_path / "one"
    save_pipeline(one, {"masks": folder})
    assert member_of_kind(one, "segmenter") == str(one / "masks")
    with pytest.raises(InputError, match=r"one holds no detector: only .*masks \(a segmenter\)$"):
        member_of_kind(one, "detector")
    two = tmp_path / "two"
    save_pipeline(two, {"masks": folder, "edges": tmp_path / "edges"})
    with pytest.raises(InputError, match=r"two holds 2 segmenters: give .*edges or .*masks$"):
        member_of_kind(two, "segmenter")


def test_reading_a_card_imports_no_torch(folder: Path) -> None:
    code = (
        "import sys; from odm.models import read_model_card; "
        f"print(read_model_card({str(folder)!r}).digest, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [read_digest(folder), "False"]


@pytest.mark.parametrize("key", ["parts", "architecture", "weights"])
def test_a_card_that_holds_something_else_is_one_sentence(model, tmp_path: Path, key: str) -> None:
    save_model(tmp_path, model, image=IMAGE, thresholds=THRESHOLDS)
    card = json.loads((tmp_path / "model.json").read_text())
    card[key] = []
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="does not hold what it should"):
        load_model(tmp_path)
