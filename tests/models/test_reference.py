"""ODConv and SDI against their formulas written out again, from the parameters alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odm.models.networks.odconv import ODConv2d, set_temperature
from odm.models.networks.odconv_paths import make_geometry
from odm.models.networks.sdi import SDI

TEMPERATURE = 3.0


@pytest.mark.parametrize(
    ("c_in", "c_out", "kernel", "groups", "n", "stride"),
    [(32, 48, 3, 1, 4, 2), (32, 32, 3, 32, 4, 1), (32, 48, 1, 1, 4, 1), (24, 48, 5, 3, 2, 1)],
)
def test_odconv(c_in: int, c_out: int, kernel: int, groups: int, n: int, stride: int) -> None:
    torch.manual_seed(0)
    padding = kernel // 2
    layer = ODConv2d(make_geometry(c_in, c_out, kernel, stride, padding, groups=groups), n=n)
    set_temperature(layer, TEMPERATURE)
    attention = layer.attention
    for head in attention.heads():
        nn.init.normal_(head.bias)
        nn.init.normal_(head.weight)
    nn.init.uniform_(attention.norm.weight, 0.5, 2.0)
    nn.init.normal_(attention.norm.bias)
    x = torch.randn(4, c_in, 9, 11)

    z = x.mean((2, 3)) @ attention.squeeze.weight.T
    z = (z - z.mean(0)) / torch.sqrt(z.var(0, unbiased=False) + 1e-5)
    z = (z * attention.norm.weight + attention.norm.bias).clamp(min=0)

    def gate(head: nn.Linear | None, size: int) -> Tensor:
        if head is None:
            return torch.ones(4, size)
        return 1 / (1 + torch.exp(-(z @ head.weight.T + head.bias) / TEMPERATURE))

    shares = torch.exp((z @ attention.kernel.weight.T + attention.kernel.bias) / TEMPERATURE)
    shares = shares / shares.sum(1, keepdim=True)
    channel, filters = gate(attention.channel, c_in), gate(attention.filter, c_out)
    spatial = gate(attention.spatial, kernel**2)
    bank = layer.bank.view(n, c_out, c_in // groups, kernel, kernel)
    answers = []
    for b in range(4):
        weight = sum(
            shares[b, i] * spatial[b].view(1, 1, kernel, kernel) * bank[i] for i in range(n)
        )
        scaled = x[b : b + 1] * channel[b].view(1, -1, 1, 1)
        answer = F.conv2d(scaled, weight, stride=stride, padding=padding, groups=groups)
        answers.append(answer * filters[b].view(1, -1, 1, 1))
    torch.testing.assert_close(layer.train()(x), torch.cat(answers), atol=1e-5, rtol=1e-5)


def test_sdi() -> None:
    torch.manual_seed(0)
    widths = [8, 12, 20]
    sdi = SDI(widths, 6).eval()
    features = [torch.randn(2, c, 24 >> i, 40 >> i) for i, c in enumerate(widths)]
    reduced = []
    for x, (channel, spatial, conv, norm) in zip(features, sdi.reduce, strict=True):

        def shared(v: Tensor, layers: nn.Sequential = channel.shared) -> Tensor:
            return layers[2](F.relu(layers[0](v)))

        weight = shared(x.mean((2, 3))) + shared(x.flatten(2).max(2).values)
        y = x * torch.sigmoid(weight)[..., None, None]
        summary = torch.stack([y.mean(1), y.max(1).values], 1)
        y = y * torch.sigmoid(F.conv2d(summary, spatial.conv.weight, padding=3))
        y = F.conv2d(y, conv.weight)
        reduced.append(F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias))
    for level, (fuse, answer) in enumerate(zip(sdi.fuse, sdi(features), strict=True)):
        size = features[level].shape[2:]
        product = torch.ones(1)
        for source, conv in zip(reduced, fuse.smooth, strict=True):
            if source.shape[2] > size[0]:
                source = F.adaptive_avg_pool2d(source, size)
            elif source.shape[2] < size[0]:
                source = F.interpolate(source, size=size, mode="bilinear", align_corners=True)
            product = product * F.conv2d(source, conv.weight, conv.bias, padding=1)
        torch.testing.assert_close(answer, product, atol=1e-7, rtol=1e-4)
