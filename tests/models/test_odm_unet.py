"""ODM_Unet: the contract, the reference counts, its options, and how it compiles and exports."""

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from odm.core.errors import InputError
from odm.models.engines import example_input
from odm.models.export import export_onnx
from odm.models.networks.base import SegmentationModel, foreground
from odm.models.networks.odconv import ODConv2d, odconv_layers, set_execution, set_temperature
from odm.models.networks.odconv_paths import make_geometry
from odm.models.networks.odm_unet import OdmUnet
from odm.models.networks.segmenters import create_model
from tests.models.contract import Options, SegmentationContract, example, settle


class TestOdmUnet(SegmentationContract):
    name = "odm_unet"


class TestOdmUnetSmall(SegmentationContract):
    name = "odm_unet_small"


class TestOdmUnetLayerNorm(SegmentationContract):
    name = "odm_unet_small"
    options: ClassVar[Options] = {
        "odconv": "all",
        "odconv_kernels": 2,
        "odconv_norm": "layer",
        "classes": 4,
    }


class TestOdmUnetOnlyUnet(SegmentationContract):
    name = "odm_unet_small"
    options: ClassVar[Options] = {
        "odconv": "none",
        "sdi_strides": "off",
        "scse": False,
        "squeeze_excite": False,
    }


class TestOdmUnetSomeLevels(SegmentationContract):
    name = "odm_unet_small"
    options: ClassVar[Options] = {
        "sdi_strides": (8, 32),
        "sdi_product": "bfloat16",
        "sdi_norm": False,
    }


class TestOdmUnetEncoderWithAHead(SegmentationContract):
    # This encoder keeps its classifier's last convolution, which nothing here uses.
    name = "odm_unet"
    options: ClassVar[Options] = {
        "encoder": "efficientnet-b0",
        "odconv": "none",
        "decoder_channels": (32, 32, 16, 16, 16),
        "sdi_channels": 8,
    }


def count(name: str, **options: object) -> float:
    """Millions of parameters."""
    return sum(p.numel() for p in create_model(name, **options).parameters()) / 1e6


@pytest.mark.parametrize(
    ("options", "millions"),
    [
        ({}, 10.12),
        ({"odconv": "none"}, 4.78),
        ({"odconv": "depthwise"}, 5.48),
        ({"odconv": "all", "odconv_kernels": 1}, 5.81),
    ],
)
def test_parameter_counts(options: dict[str, object], millions: float) -> None:
    assert count("odm_unet", **options) == pytest.approx(millions, rel=0.01)


def test_small_is_small() -> None:
    assert 1 < count("odm_unet_small") < 2


@pytest.mark.parametrize(("name", "giga"), [("odm_unet", 3.60), ("unet_same_encoder", 3.07)])
def test_multiplications_at_256(name: str, giga: float) -> None:
    model = create_model(name).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 256, 256))
    assert counter.get_total_flops() / 2e9 == pytest.approx(giga, rel=0.01)


def test_maps_the_published_shape() -> None:
    model = create_model("odm_unet").eval()
    with torch.inference_mode():
        assert model(torch.randn(2, 3, 96, 160)).shape == (2, 2, 96, 160)


def dynamic_layers(**options: object) -> list[ODConv2d]:
    return list(odconv_layers(create_model("odm_unet_small", **options)))


def test_policies_choose_the_layers() -> None:
    depthwise = dynamic_layers(odconv="depthwise")
    pointwise = dynamic_layers(odconv="pointwise")
    assert len(depthwise) == 11
    assert all(layer.geometry.is_depthwise for layer in depthwise)
    assert all(layer.geometry.is_pointwise for layer in pointwise)
    assert len(dynamic_layers(odconv="all")) == len(depthwise) + len(pointwise)
    assert dynamic_layers(odconv="none") == []


def test_the_stem_and_squeeze_and_excitation_stay_static() -> None:
    encoder = create_model("odm_unet", odconv="all").get_submodule("encoder.model")
    assert type(encoder.get_submodule("conv_stem")) is torch.nn.Conv2d
    assert type(encoder.get_submodule("blocks.2.0.se.conv_reduce")) is torch.nn.Conv2d
    static = [m for m in encoder.modules() if type(m) is torch.nn.Conv2d and m.bias is None]
    assert static == [encoder.get_submodule("conv_stem")]


def test_squeeze_excite_can_be_dropped() -> None:
    names = [n for n, _ in create_model("odm_unet", squeeze_excite=False).named_parameters()]
    assert not any(".se." in name for name in names)


@pytest.mark.parametrize(
    ("options", "single"),
    [
        ({}, True),
        ({"odconv_norm": "batch"}, False),
        ({"odconv_norm": "batch", "odconv": "pointwise"}, False),
        ({"odconv_norm": "batch", "odconv": "none"}, True),
        ({"encoder": "vgg11", "odconv": "none"}, True),
    ],
)
def test_only_attentions_that_normalise_over_the_batch_need_one(
    options: dict[str, object], single: bool
) -> None:
    model = create_model("odm_unet_small", **options).train()
    assert model.single == single
    one = example(model, 1, (64, 64))
    if single:
        assert torch.isfinite(model(one)).all()
    else:
        with pytest.raises(InputError, match="batch of 1"):
            model(one)


def test_execution_modes_agree() -> None:
    model = create_model("odm_unet_small", odconv="all")
    assert isinstance(model, OdmUnet)
    x = example(model, 2, (64, 64))
    for layer in odconv_layers(model):
        torch.nn.init.normal_(layer.attention.channel.bias)
    answers = {}
    settle(model, (64, 64))
    for execution in ("auto", "fixed", "export", "group", "experts", "shift"):
        set_execution(model, execution)
        with torch.inference_mode():
            answers[execution] = model(x)
    reference = answers.pop("group")
    for execution, answer in answers.items():
        error = (answer - reference).abs().max() / reference.abs().max()
        assert error < 1e-4, execution


def test_temperature_is_in_the_state_dict() -> None:
    model = create_model("odm_unet_small")
    assert isinstance(model, OdmUnet)
    set_temperature(model, 30.0)
    other = create_model("odm_unet_small")
    other.load_state_dict(model.state_dict())
    assert {float(layer.attention.temperature) for layer in odconv_layers(other)} == {30.0}


def test_channels_last_and_bfloat16() -> None:
    torch.manual_seed(0)
    model = settle(create_model("odm_unet_small", odconv="all", odconv_norm="batch"), (64, 96))
    x = example(model, 2, (64, 96))
    with torch.inference_mode():
        reference = model(x)
        scale = reference.abs().max()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = model(x)
        model.to(memory_format=torch.channels_last)
        turned = model(x.to(memory_format=torch.channels_last))
    assert (turned - reference).abs().max() / scale < 1e-4
    # The typical error: products of five have long tails before training.
    assert (rounded - reference).abs().median() / reference.std() < 0.1
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(x).float().square().mean()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_pretrained_weights_warm_start_every_kernel(tmp_path: Path) -> None:
    import timm

    torch.manual_seed(3)
    static = timm.create_model("mobilenetv3_small_100")
    torch.save(static.state_dict(), tmp_path / "weights.pth")
    model = create_model(
        "odm_unet_small",
        in_channels=3,
        odconv="all",
        odconv_noise=0.0,
        pretrained=str(tmp_path / "weights.pth"),
    ).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected = static.eval().forward_features(x)
        given = model.get_submodule("encoder")(x)[-1]
    assert (given - expected).abs().max() / expected.abs().max() < 1e-5
    assert "pretrained" not in model.options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"odconf": "all"}, "unknown option 'odconf'; did you mean odconv?"),
        ({"classes": 1}, "classes: input should be greater than or equal to 2, not 1"),
        ({"odconv_kernels": 3}, "odconv_kernels: "),
        ({"sdi_strides": "some"}, "choose from off, 4-32, all"),
        ({"sdi_strides": (4, 5)}, "SDI strides are different ones of 2, 4, 8, 16, 32"),
        ({"encoder": "tu-mobilenetv3_larg_100"}, "did you mean tu-mobilenetv3_large_100?"),
        ({"encoder": "timm-mobilenetv3_large_100"}, "deprecated"),
        ({"encoder": "mit_b0"}, "mit_b0"),
        ({"encoder": "tu-tf_mobilenetv3_small_100"}, "which ODConv cannot replace"),
        ({"decoder_channels": (64, 32, 16, 8, 8)}, "SCSE needs at least 16"),
        ({"encoder": "vgg11"}, "'vgg11' has no convolution that odconv='all' could make dynamic"),
        ({"encoder": "resnet18", "odconv": "depthwise"}, "odconv='depthwise' could make dynamic"),
        (
            {"encoder": "efficientnet-b0", "odconv": "none", "squeeze_excite": False},
            "'efficientnet-b0' has no squeeze and excitation that could be dropped",
        ),
    ],
)
def test_bad_options_are_one_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        create_model("odm_unet", **options)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def check_export(model: SegmentationModel, path: Path) -> None:
    """Export, and compare the logits of batches of any size with the model's, relatively."""
    import onnxruntime

    export_onnx(model, path, (64, 96))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = example(model, 5, (64, 96))
    for batch in (1, 2, 5):
        with torch.inference_mode():
            expected = model(x[:batch])
        (given,) = session.run(None, {"image": x[:batch].numpy()})
        difference = (torch.from_numpy(given) - expected).abs().max() / expected.abs().max()
        assert 0 < difference < 1e-4


def test_export_of_a_model_without_dynamic_convolutions(tmp_path: Path) -> None:
    model = settle(create_model("odm_unet_small", odconv="none"), (64, 96))
    check_export(model, tmp_path / "model.onnx")


@pytest.mark.slow
def test_export_of_dynamic_convolutions(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model("odm_unet_small", odconv="all")
    for layer in odconv_layers(model):
        torch.nn.init.normal_(layer.attention.channel.bias)
    settle(model, (64, 96))
    check_export(model, tmp_path / "model.onnx")
    assert {layer.execution for layer in odconv_layers(model)} == {"auto"}


@pytest.mark.slow
def test_the_default_model_as_onnx_and_in_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default model, its statistics fitted to its input, with logits of a few units.

    At 96 x 160, with SDI's factors about 1, float32 itself is off by 1.5e-5 in probability from
    float64, so that 1e-4 says something about the export. At 512 x 512, and with factors about 0,
    float32 alone is off by 1e-4 and more: products of five random maps magnify rounding.
    """
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import onnxruntime
    from engines import settle

    size = (96, 160)
    torch.manual_seed(0)
    model = create_model("odm_unet")
    for fusion in model.get_submodule("sdi.fuse").children():
        for conv in fusion.get_submodule("smooth").children():
            torch.nn.init.ones_(conv.bias)
    settle(model, size, 5)
    x = example_input(model, 5, size)
    with torch.inference_mode():
        expected = foreground(model(x))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rounded = foreground(model(x))
    assert expected.max() - expected.min() > 0.5
    # The typical error: where random maps have far outliers, single pixels are off by any amount.
    assert torch.isfinite(rounded).all()
    assert (rounded - expected).abs().median() < 0.02
    assert (rounded - expected).abs().mean() < 0.04

    export_onnx(model, tmp_path / "model.onnx", size)
    session = onnxruntime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    for batch in (1, 2, 5):
        (given,) = session.run(None, {"image": x[:batch].numpy()})
        assert given.shape == (batch, 2, *size)
        assert (foreground(torch.from_numpy(given)) - expected[:batch]).abs().max() < 1e-4, batch


@pytest.mark.slow
def test_traces_as_one_graph_forward_and_backward() -> None:
    torch.manual_seed(0)
    model = settle(create_model("odm_unet_small", odconv="all"), (64, 64))
    x = example(model, 2, (64, 64))
    # What fullgraph=True asks for is decided before the backend: this one generates no code.
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        expected, given = model(x), compiled(x)
    assert (given - expected).abs().max() / expected.abs().max() < 1e-4
    model.train()
    compiled(x).square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.slow
def test_compiles_with_inductor() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        ODConv2d(make_geometry(8, 24, 1)),
        ODConv2d(make_geometry(24, 24, 5, stride=2, padding=2, groups=24)),
        ODConv2d(make_geometry(24, 8, 3, padding=1)),
    ).eval()
    x = torch.randn(2, 8, 16, 24)
    compiled = torch.compile(layers, fullgraph=True)
    with torch.no_grad():
        expected, given = layers(x), compiled(x)
        assert (given - expected).abs().max() / expected.abs().max() < 1e-5
        # The temperature is a tensor: another value needs no other graph.
        set_temperature(layers, 30.0)
        with torch.compiler.set_stance("fail_on_recompile"):
            expected, given = layers(x), compiled(x)
    assert (given - expected).abs().max() / expected.abs().max() < 1e-5
