"""ODConv: what it computes, its equal paths, its start, and its traps."""

from typing import Any

import pytest
import torch
from torch import nn

from odm.core.errors import InputError
from odm.models.networks.odconv import (
    ODConv2d,
    odconv_layers,
    set_execution,
    set_temperature,
    temperature_at,
)
from odm.models.networks.odconv_paths import PATHS, make_geometry, supported_paths

LAYERS: dict[str, dict[str, Any]] = {
    "pointwise": {"in_channels": 32, "out_channels": 48, "kernel_size": 1},
    "pointwise, stride 2": {"in_channels": 32, "out_channels": 48, "kernel_size": 1, "stride": 2},
    "pointwise, groups": {"in_channels": 32, "out_channels": 48, "kernel_size": 1, "groups": 4},
    "depthwise": {
        "in_channels": 24,
        "out_channels": 24,
        "kernel_size": 5,
        "stride": 2,
        "padding": 2,
        "groups": 24,
    },
    "dilated depthwise": {
        "in_channels": 24,
        "out_channels": 24,
        "kernel_size": 3,
        "padding": 2,
        "dilation": 2,
        "groups": 24,
    },
    "full": {
        "in_channels": 12,
        "out_channels": 20,
        "kernel_size": (3, 5),
        "stride": (2, 1),
        "padding": (1, 2),
    },
    "grouped": {
        "in_channels": 12,
        "out_channels": 24,
        "kernel_size": 3,
        "padding": 1,
        "groups": 3,
        "n": 2,
    },
    "one kernel": {"in_channels": 16, "out_channels": 8, "kernel_size": 3, "padding": 1, "n": 1},
}


def build(name: str, **more: Any) -> ODConv2d:
    torch.manual_seed(0)
    shape = dict(LAYERS[name])
    options = {"n": shape.pop("n", 4), **more}
    layer = ODConv2d(make_geometry(**shape), **options)
    for head in layer.attention.heads():
        nn.init.normal_(head.bias)
    return layer


def example(layer: ODConv2d, batch: int = 3) -> torch.Tensor:
    return torch.randn(
        batch, layer.geometry.in_channels, 14, 18, generator=torch.Generator().manual_seed(1)
    )


def by_the_formula(layer: ODConv2d, x: torch.Tensor) -> torch.Tensor:
    """a_filter * conv(a_channel * x, sum_i a_kernel[i] * a_spatial * W_i), image by image."""
    g = layer.geometry
    attention = layer.attention(x)
    bank = layer.bank.view(layer.n, *g.weight_shape)
    outputs = []
    for index, image in enumerate(x):
        weight = torch.zeros(g.weight_shape)
        for kernel in range(layer.n):
            share = 1 if attention.kernel is None else attention.kernel[index, kernel]
            spatial = 1 if attention.spatial is None else attention.spatial[index].view(g.kernel)
            weight = weight + share * spatial * bank[kernel]
        scaled = attention.channel[index, :, None, None] * image
        y = nn.functional.conv2d(
            scaled[None], weight, None, g.stride, g.padding, g.dilation, g.groups
        )
        if attention.filter is not None:
            y = y * attention.filter[index, :, None, None]
        outputs.append(y)
    return torch.cat(outputs)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", LAYERS)
def test_every_path_computes_the_formula_forward_and_backward(
    name: str, memory: torch.memory_format
) -> None:
    layer = build(name)
    x = example(layer).to(memory_format=memory).requires_grad_()

    def run(function: Any) -> list[torch.Tensor]:
        layer.zero_grad()
        y = function(x)
        (gradient,) = torch.autograd.grad(y.sin().sum(), x, retain_graph=True)
        y.sin().sum().backward()
        return [y, gradient, *(p.grad.clone() for p in layer.parameters())]

    reference = run(lambda x: by_the_formula(layer, x))
    for path in supported_paths(layer.geometry):
        layer.set_execution(path)
        assert layer.path == path
        for given, expected in zip(run(layer), reference, strict=True):
            assert (given - expected).abs().max() <= 1e-5 * max(1, expected.abs().max()), path


def test_channels_last_stays_channels_last() -> None:
    layer = build("pointwise")
    x = example(layer).to(memory_format=torch.channels_last)
    assert layer(x).is_contiguous(memory_format=torch.channels_last)
    # A 5-D weight would make this raise.
    nn.Sequential(layer).to(memory_format=torch.channels_last)


def test_attentions_that_would_be_second_names_are_skipped() -> None:
    assert build("pointwise").attention.spatial is None
    assert build("depthwise").attention.filter is None
    assert build("one kernel").attention.kernel is None
    full = build("full").attention
    assert None not in (full.filter, full.spatial, full.kernel)


def test_hidden_width() -> None:
    assert ODConv2d(make_geometry(960, 8, 1)).attention.squeeze.out_features == 60
    assert ODConv2d(make_geometry(40, 8, 1)).attention.squeeze.out_features == 16
    assert ODConv2d(make_geometry(960, 8, 1), reduction=4).attention.squeeze.out_features == 240


def test_weights_begin_with_the_spread_of_their_fan_out() -> None:
    # Kaiming: variance 2 / fan-out, where fan-out is C_out * k_h * k_w of one kernel.
    torch.manual_seed(0)
    layer = ODConv2d(make_geometry(32, 256, 3))
    for row in layer.bank.detach():
        assert float(row.std()) == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
        assert abs(float(row.mean())) < 1e-3
    attention = layer.attention
    assert attention.squeeze.weight.shape == (16, 32)
    assert attention.filter is not None
    for head in (attention.squeeze, attention.channel, attention.filter):
        expected = (2 / head.out_features) ** 0.5
        assert float(head.weight.detach().std()) == pytest.approx(expected, rel=0.15)
        assert head.bias is None or not head.bias.any()


@pytest.mark.parametrize("name", LAYERS)
def test_warm_start_equals_the_static_convolution(name: str) -> None:
    settings = {key: value for key, value in LAYERS[name].items() if key != "n"}
    torch.manual_seed(0)
    static = nn.Conv2d(**settings, bias=False)
    n = LAYERS[name].get("n", 4)
    layer = ODConv2d.from_static(static, n=n).eval()
    layer.set_execution("group")
    x = example(layer)
    # One image at a time both are the same convolution, of weights that are exactly equal.
    for image in x.split(1):
        assert torch.equal(layer(image), static(image))
    assert (layer(x) - static(x)).abs().max() < 1e-5


def test_warm_start_noise_parts_the_kernels() -> None:
    static = nn.Conv2d(32, 16, 1, bias=False)
    bank = ODConv2d.from_static(static, noise=0.01).bank
    assert 0.005 < (bank / (4 * static.weight.reshape(1, -1)) - 1).std() < 0.02
    assert not torch.equal(bank[0], bank[1])


def test_warm_start_refuses_what_it_cannot_stand_for() -> None:
    with pytest.raises(InputError, match="no bias"):
        ODConv2d.from_static(nn.Conv2d(8, 8, 1))
    with pytest.raises(InputError, match="padding"):
        ODConv2d.from_static(nn.Conv2d(8, 8, 3, padding="same", bias=False))


def test_temperature_flattens_the_kernel_attention() -> None:
    layer = build("full").eval()
    x = example(layer)
    sharp = layer.attention(x).kernel
    set_temperature(layer, 1e6)
    flat = layer.attention(x).kernel
    assert sharp is not None
    assert flat is not None
    assert sharp.max() > 0.5
    torch.testing.assert_close(flat, torch.full_like(flat, 0.25), atol=1e-5, rtol=0)
    assert float(layer.state_dict()["attention.temperature"]) == 1e6
    with pytest.raises(InputError, match="above 0"):
        set_temperature(layer, 0)


def test_temperature_schedule() -> None:
    assert temperature_at(0, 100) == 30
    assert temperature_at(500, 100) == pytest.approx(15.5)
    assert temperature_at(1000, 100) == 1
    assert temperature_at(5000, 100) == 1


def test_a_batch_of_one_in_training() -> None:
    layer = build("pointwise")
    one = example(layer, 1)
    with pytest.raises(InputError, match="batch of 1"):
        layer.train()(one)
    layer.eval()(one)
    build("pointwise", norm="layer").train()(one).sum().backward()


def test_execution_takes_only_what_a_layer_can() -> None:
    layer = build("full")
    with pytest.raises(InputError, match="cannot compute"):
        layer.set_execution("bmm")
    with pytest.raises(InputError, match="must be one of"):
        layer.set_execution("fast")
    model = nn.Sequential(layer, build("pointwise"))
    for path in PATHS:
        set_execution(model, path)
    set_execution(model, "export")
    assert [layer.path for layer in odconv_layers(model)] == ["shift", "bmm"]
    set_execution(model, "fixed")
    assert [layer.path for layer in odconv_layers(model)] == ["group", "bmm"]


def test_arguments_out_of_range() -> None:
    with pytest.raises(InputError, match="n >= 1"):
        ODConv2d(make_geometry(8, 8, 1), n=0)
    with pytest.raises(InputError, match="groups"):
        ODConv2d(make_geometry(8, 9, 1, groups=2))
    with pytest.raises(InputError, match="norm"):
        ODConv2d(make_geometry(8, 8, 1), norm="group")


@pytest.mark.parametrize("name", ["pointwise", "depthwise", "full"])
def test_exports_with_a_dynamic_batch(name: str) -> None:
    layer = build(name).eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(layer, (example(layer),), dynamic_shapes=({0: batch},)).module()
    for count in (1, 2, 5):
        x = example(layer, count)
        assert (program(x) - layer(x)).abs().max() < 1e-5
