"""SDI and the decoder: shapes, exact values, and parameters in use."""

import pytest
import torch
from torch import nn

from odm.core.errors import InputError
from odm.models.networks.decoder import prune_unused, unet_decoder
from odm.models.networks.sdi import SDI, resize


def levels(widths: list[int], height: int, width: int, batch: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [
        torch.randn(batch, channels, height >> index, width >> index)
        for index, channels in enumerate(widths)
    ]


@pytest.mark.parametrize("widths", [[16], [16, 24], [8, 16, 24, 40]])
@pytest.mark.parametrize("size", [(32, 32), (16, 48)])
def test_any_levels_and_any_aspect(widths: list[int], size: tuple[int, int]) -> None:
    features = levels(widths, *size)
    infused = SDI(widths, 12)(features)
    assert [tuple(out.shape) for out in infused] == [
        (2, 12, *feature.shape[2:]) for feature in features
    ]


def test_product_of_all_levels() -> None:
    """With every level's factor a known constant, the output is their product."""
    sdi = SDI([4, 4, 4], 2).eval()
    constants = (2.0, -3.0, 0.5)
    for fuse in sdi.fuse:
        for conv, value in zip(fuse.smooth, constants, strict=True):
            nn.init.zeros_(conv.weight)
            nn.init.constant_(conv.bias, value)
    for out in sdi(levels([4, 4, 4], 16, 16)):
        torch.testing.assert_close(out, torch.full_like(out, -3.0))


def test_every_level_reaches_every_other() -> None:
    torch.manual_seed(0)
    sdi = SDI([4, 6, 8], 5)
    for target in range(3):
        features = [feature.requires_grad_() for feature in levels([4, 6, 8], 16, 24)]
        sdi(features)[target].abs().sum().backward()
        assert all(feature.grad.abs().max() > 0 for feature in features)


def test_resize_averages_down_and_keeps_corners_up() -> None:
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert resize(x, (2, 2)).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    up = resize(x[..., :2, :2], (4, 4))
    assert [up[0, 0, 0, 0], up[0, 0, 3, 3]] == [0, 5]
    assert resize(x, (4, 4)) is x
    assert resize(torch.ones(1, 1, 5, 7), (3, 2)).shape == (1, 1, 3, 2)


def test_normalised_products_have_unit_size_at_the_start() -> None:
    features = levels([16, 24, 40, 112, 960], 64, 64, batch=4)
    bare = [out.std() for out in SDI([16, 24, 40, 112, 960])(features)]
    normed = [out.std() for out in SDI([16, 24, 40, 112, 960], norm=True)(features)]
    assert max(bare) < 0.1
    assert all(0.9 < value < 1.1 for value in normed)


@pytest.mark.parametrize("product", ["float32", "bfloat16"])
def test_autocast_keeps_the_product_out_of_float16(product: str) -> None:
    features = levels([8, 8, 8], 16, 16)
    sdi = SDI([8, 8, 8], 4, product=product)
    exact = SDI([8, 8, 8], 4)
    exact.load_state_dict(sdi.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        given = sdi(features)
    assert {out.dtype for out in given} == {getattr(torch, product)}
    for out, expected in zip(given, exact(features), strict=True):
        assert (out.float() - expected).abs().max() / expected.abs().max() < 0.1
    assert {out.dtype for out in sdi(features)} == {torch.float32}


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="at least one level"):
        SDI([])
    with pytest.raises(InputError, match="float16"):
        SDI([4], product="float16")
    with pytest.raises(InputError, match="5 blocks; decoder_channels gives 2"):
        unet_decoder([3, 8, 8, 8, 8, 8], [16, 16])
    with pytest.raises(InputError, match="SCSE needs at least 16"):
        unet_decoder([3, 8, 8], [16, 8])


def test_decoder_has_no_parameter_without_a_gradient() -> None:
    decoder = unet_decoder([3, 8, 8, 8], [32, 16, 16], scse=True)
    decoder([torch.randn(2, 3, 32, 32), *levels([8, 8, 8], 16, 16)]).sum().backward()
    assert [name for name, p in decoder.named_parameters() if p.grad is None] == []
    assert isinstance(decoder.blocks[-1].attention1, nn.Identity)


class _Wasteful(nn.Module):
    """Keeps a convolution that it never calls, inside a block that it does."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.ModuleDict({"used": nn.Conv2d(1, 1, 1), "unused": nn.Conv2d(1, 1, 1)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block["used"](x)


def test_prune_takes_only_what_is_never_used() -> None:
    model = _Wasteful().train()
    prune_unused(model, 1)
    assert [name for name, _ in model.named_parameters()] == [
        "block.used.weight",
        "block.used.bias",
    ]
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_factors_around_one_keep_the_product_from_vanishing() -> None:
    """Products of five factors around 0 nearly all vanish; those of five around 1 rarely do."""
    shares = []
    for around_one in (False, True):
        torch.manual_seed(0)
        sdi = SDI([16] * 5, 16, around_one=around_one).eval()
        with torch.no_grad():
            out = sdi(levels([16] * 5, 64, 64))[0]
        shares.append(float((out.abs() < 0.1 * out.std()).float().mean()))
    assert shares[0] > 0.5 and shares[1] < 0.2
