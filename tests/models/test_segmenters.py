"""Methods by name, encoder weights, and the methods without learning."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from odm.core.errors import InputError
from odm.findings.regions import RegionSettings, level_of, to_levels
from odm.models.networks.base import SegmentationModel, to_input
from odm.models.networks.classical import BlobSettings, blob_response, create_classical
from odm.models.networks.pretrained import hub_error
from odm.models.networks.segmenters import available_segmenters, create_model, create_segmenter

TINY = {"encoder": "tu-mobilenetv3_small_050"}


def disc(height: int = 128, width: int = 160, radius: int = 20) -> np.ndarray:
    """A bright disc in the middle of even noise; the first columns are invalid."""
    rng = np.random.default_rng(0)
    y, x = np.ogrid[:height, :width]
    inside = (y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2
    image = np.where(inside, 180, 80) + rng.normal(0, 3, (height, width))
    image[:, :8] = 0
    return image.astype(np.uint8)


def test_names() -> None:
    names = available_segmenters()
    assert names[:2] == ("odm_unet", "odm_unet_small")
    assert available_segmenters(learned=False) == ("canny", "log")
    assert set(available_segmenters(learned=True)) == set(names) - {"canny", "log"}


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("odm_uent", {}, "did you mean odm_unet?"),
        ("unet", {"encodr": "resnet18"}, "did you mean encoder?"),
        ("unet", {"encoder": "resnet19"}, "unknown encoder 'resnet19'"),
        ("fpn", {"scse": True}, "unknown option 'scse'"),
        ("deeplabv3", {"encoder": "vgg11"}, "deeplabv3 cannot use encoder 'vgg11'"),
        ("unet", {"classes": 1}, "unet: classes: input should be greater"),
        ("canny", {"classes": 3}, "background and foreground only"),
        ("canny", {"low": 200.0}, "low = 200 is above high = 100"),
        ("log", {"treshold": 5.0}, "did you mean threshold?"),
    ],
)
def test_bad_names_and_options_are_one_sentence(name: str, options: dict, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        create_segmenter(name, **options)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_method_without_learning_cannot_be_trained() -> None:
    with pytest.raises(InputError, match="nothing to train"):
        create_model("canny")


@pytest.mark.parametrize("form", ["pth", "safetensors", "folder", "prefixed"])
def test_local_weights(tmp_path: Path, form: str) -> None:
    torch.manual_seed(5)
    weights = timm.create_model("mobilenetv3_small_050").state_dict()
    path = tmp_path / "weights.pth"
    if form == "safetensors":
        path = tmp_path / "weights.safetensors"
        save_file(weights, path)
    elif form == "folder":
        save_file(weights, tmp_path / "model.safetensors")
        path = tmp_path
    elif form == "prefixed":
        torch.save({"state_dict": {f"encoder.{k}": v for k, v in weights.items()}}, path)
    else:
        torch.save(weights, path)
    model = create_model("unet", **TINY, in_channels=1, pretrained=str(path))
    encoder = model.get_submodule("net.encoder").state_dict()
    key = "blocks.0.0.conv_pw.weight"
    assert torch.equal(encoder[f"model.{key}"], weights[key])
    # A stem for colours becomes one for grey: the sum over colours.
    torch.testing.assert_close(
        encoder["model.conv_stem.weight"], weights["conv_stem.weight"].sum(1, keepdim=True)
    )


def test_bad_local_weights(tmp_path: Path) -> None:
    def sentence(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            create_model("unet", **TINY, pretrained=str(path))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "There is no weights file" in sentence(tmp_path / "nothing.pth")
    assert "holds none of" in sentence(tmp_path)
    other = tmp_path / "other.pth"
    torch.save(timm.create_model("mobilenetv3_small_100").state_dict(), other)
    assert "weights of another encoder" in sentence(other)
    short = tmp_path / "short.pth"
    short.write_bytes(other.read_bytes()[:1000])
    assert "is no whole weights file" in sentence(short)
    cut = tmp_path / "cut.safetensors"
    save_file({"a": torch.zeros(100)}, cut)
    cut.write_bytes(cut.read_bytes()[:-7])
    assert "is no whole weights file" in sentence(cut)


@pytest.mark.parametrize("name", ["unet", "odm_unet"])
@pytest.mark.parametrize("encoder", ["tu-mobilenetv3_small_100", "resnet18"])
def test_hub_offline_is_one_sentence(
    name: str, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as caught:
        create_model(name, encoder=encoder, pretrained="hub")
    assert "the hub cannot be reached (LocalEntryNotFoundError)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoder", ["tu-mobilenetv3_large_075", "tu-mobilenetv3_small_100.mars"])
def test_an_encoder_that_the_hub_does_not_have(encoder: str) -> None:
    with pytest.raises(InputError, match=f"The hub has no pretrained weights of '{encoder}'"):
        create_model("unet", encoder=encoder, pretrained="hub")


def answer(kind: type[Exception], status: int) -> Exception:
    """The error that the hub's client makes of an HTTP answer."""
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    return kind("no", response=response)  # type: ignore[call-arg]


def hub_faults() -> list[tuple[Exception, str]]:
    from urllib.error import HTTPError, URLError

    from huggingface_hub import errors

    gone = LookupError("cut off")
    gone.__cause__ = ConnectionResetError()
    return [
        (answer(errors.RepositoryNotFoundError, 401), "has no pretrained weights"),
        (answer(errors.RemoteEntryNotFoundError, 404), "has no pretrained weights"),
        (HTTPError("https://hub.example", 404, "no", {}, None), "has no pretrained weights"),  # type: ignore[arg-type]
        (answer(errors.GatedRepoError, 403), "does not permit"),
        (answer(errors.HfHubHTTPError, 403), "does not permit"),
        (errors.LocalEntryNotFoundError("not here"), "cannot be reached"),
        (errors.OfflineModeIsEnabled("off"), "cannot be reached"),
        (URLError("no route"), "cannot be reached"),
        (TimeoutError(), "cannot be reached"),
        (gone, "cannot be reached"),
        (answer(errors.HfHubHTTPError, 500), "from the hub (no)"),
    ]


def test_what_the_hub_says_is_told_apart() -> None:
    for error, words in hub_faults():
        sentence = str(hub_error("resnet18", error))
        assert words in sentence, error
        assert "local weights file" in sentence
        assert "\n" not in sentence


def test_input_scaling() -> None:
    model = create_model("unet", **TINY)
    images = torch.tensor([0, 114, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    x = to_input(images, model)
    assert x.shape == (1, 3, 1, 3)
    assert x[0, 0, 0].tolist() == pytest.approx([-1.9867, -0.0086, 2.4381], abs=1e-3)
    assert torch.equal(x[:, 0], x[:, 2])
    with pytest.raises(InputError, match="must be uint8"):
        to_input(images.float(), model)


@pytest.mark.parametrize("name", ["canny", "log"])
def test_methods_without_learning_find_a_disc(name: str) -> None:
    image = disc()
    method = create_segmenter(name)
    probabilities = method.predict(image[None, None])
    assert probabilities.shape == (1, 2, *image.shape)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    found = probabilities[0, 1] >= 0.5
    truth = disc(radius=20) > 130
    assert (found & truth).sum() / (found | truth).sum() > 0.25  # what counts as a match
    assert not found[:, :8].any()


@pytest.mark.parametrize("name", ["canny", "log"])
def test_invalid_pixels_are_no_detections(name: str) -> None:
    method = create_segmenter(name)
    rng = np.random.default_rng(0)
    image = rng.normal(200, 2, (192, 192)).astype(np.uint8)
    image[40:90, 50:100] = 0  # an edge as sharp as edges get, but not of the picture
    image[:, 150:170] = 0
    probabilities = method.predict(image[None, None])[0]
    assert probabilities[1].max() == 0
    assert probabilities[0].min() == 1
    # And of a detection around them they are no part.
    holed = disc()
    holed[60:68, 76:84] = 0
    found = method.predict(holed[None, None])[0, 1]
    assert found.max() >= 0.5
    assert found[60:68, 76:84].max() == 0


@pytest.mark.parametrize("name", ["canny", "log"])
def test_the_thresholds_of_a_method_keep_all_that_it_finds(name: str) -> None:
    image = disc()
    options = {}
    if name == "log":  # just above its threshold: a higher one of the map would drop it
        options = {"threshold": float(blob_response(image, BlobSettings()).max()) / 1.05}
    method = create_classical(name, **options)
    levels = to_levels(method.predict(image[None, None])[0, 1])
    settings = RegionSettings(**method.thresholds)
    assert (levels >= level_of(settings.threshold)).sum() == (levels > 0).sum() > 500
    assert settings.low_threshold == settings.threshold
    if name == "log":
        assert levels.max() < level_of(RegionSettings().threshold)


@pytest.mark.parametrize("option", [{"shrink": 0}, {"scales": ()}, {"threshold": float("nan")}])
def test_settings_of_blobs_that_cannot_be(option: dict) -> None:
    with pytest.raises(InputError):
        create_segmenter("log", **option)


def test_methods_without_learning_on_nothing() -> None:
    for name in available_segmenters(learned=False):
        method = create_segmenter(name)
        assert not isinstance(method, SegmentationModel)
        assert method.predict(np.zeros((1, 1, 32, 32), np.uint8))[:, 1].max() == 0
        with pytest.raises(InputError, match="takes uint8 images"):
            method.predict(np.zeros((1, 3, 32, 32), np.uint8))
