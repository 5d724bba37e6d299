"""Two gloo processes against one: the same loss, gradients, and weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from odm.models.networks.segmenters import create_model
from odm.training.checkpoints import prefixed
from odm.training.errors import TrainingError
from odm.training.losses import MaskLoss
from odm.training.masks import MaskMeter, MaskTask
from odm.training.ranks import Ranks
from tests.training.tiny import Blobs, TinyNet, make_loop, on_ranks, tiny_settings

EQUAL, UNEQUAL = (2, 2), (1, 3)


def problem() -> tuple[TinyNet, Tensor, Tensor, Tensor]:
    torch.manual_seed(3)
    model = TinyNet(dropout=0.0).eval()  # batch norm at rest: its statistics would be per rank
    x = torch.randn(4, 1, 32, 32)
    truth = (torch.rand(4, 32, 32) < 0.1).to(torch.uint8)
    truth[2:] = 0  # a rank without foreground: its own Dice would be another thing
    valid = torch.rand(4, 32, 32) > torch.tensor([0.0, 0.5, 0.9, 0.2]).view(4, 1, 1)
    return model, x, truth, valid


def loss_and_gradients(ranks: Ranks, sizes: tuple[int, ...]) -> dict[str, Any]:
    model, x, truth, valid = problem()
    net = ranks.wrap(model)
    begin = sum(sizes[: ranks.rank])
    part = slice(begin, begin + sizes[ranks.rank])
    values = MaskLoss([0.5, 2.0])(net(x[part]), truth[part], valid[part], ranks)
    values["loss"].backward()
    meter = MaskMeter(MaskTask(TinyNet(), tiny_settings()))
    meter.add(model(x[part]), truth[part], valid[part])
    gradients = {name: p.grad for name, p in model.named_parameters()}
    return {
        "loss": values["loss"].item(),
        "dice": values["soft_dice"].item(),
        "gradients": gradients,
        "metrics": meter.compute(ranks),
        "any": [ranks.any(ranks.rank == 1), ranks.any(False)],
    }


def everything(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """All that the tests below compare: starting processes is what takes the time."""
    return {
        "equal": loss_and_gradients(ranks, EQUAL),
        "unequal": loss_and_gradients(ranks, UNEQUAL),
        "ten_steps": ten_steps(ranks, folder),
        "phases": two_phases(ranks, folder / "phases"),
        "phases_at_rest": two_phases(ranks, folder / "rest", REST),
        "statistics": statistics(ranks),
        "whole": stopped_at(ranks, folder / "undisturbed", None),
        "stopped": stopped_at(ranks, folder / "stopped", 4),
        "apart": [checkpoints_apart(ranks, folder / f"apart{n}", n) for n in (1, 2)],
    }


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks gives."""
    folder = tmp_path_factory.mktemp("two")
    return on_ranks(2, everything, folder / "ranks", folder)


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_loss_and_gradients_equal_those_of_one_rank(two: list[dict[str, Any]], sizes: str) -> None:
    alone = loss_and_gradients(Ranks(), (4,))
    for result in (rank[sizes] for rank in two):
        assert result["loss"] == pytest.approx(alone["loss"], abs=1e-5)
        assert result["dice"] == pytest.approx(alone["dice"], abs=1e-5)
        for name, gradient in alone["gradients"].items():
            assert (result["gradients"][name] - gradient).abs().max() <= 1e-5, name
            assert gradient.abs().max() > 1e-4, name
        assert result["metrics"] == pytest.approx(alone["metrics"], rel=1e-6)
        assert result["any"] == [True, False]


def ten_steps(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """odm_unet_small, normalisation at rest, no augmentation, the same global batches."""
    settings = tiny_settings(
        "data.augmentation=none",
        "schedule.freeze_norm=true",
        "schedule.epochs=5",
        "runtime.checkpoint_steps=null",
        "compute.ema=null",
        "optimiser.name=adam",
    )
    torch.manual_seed(0)
    model = create_model("odm_unet_small", encoder="tu-mobilenetv3_small_050")
    begin = {name: value.detach().clone() for name, value in model.named_parameters()}
    losses = []
    loop = make_loop(
        folder / f"of{ranks.world_size}",
        settings,
        model=model,
        ranks=ranks,
        source=Blobs(8, size=64),
        validation=Blobs(3, size=64, seed=5),
        listener=lambda report: (
            losses.append(report.values["loss"]) if report.kind == "steps" else None
        ),
    )
    result = loop.run()
    moved = {
        name: float((p.detach() - begin[name]).abs().max()) for name, p in model.named_parameters()
    }
    weights = model.state_dict()
    return {"losses": losses, "weights": weights, "best": result.best, "moved": moved}


def test_ten_steps_on_two_ranks_equal_those_on_one(
    two: list[dict[str, Any]], tmp_path: Path
) -> None:
    alone = ten_steps(Ranks(), tmp_path)
    assert len(alone["losses"]) == 10
    moved = [change for name, change in alone["moved"].items() if "norm" not in name]
    assert max(moved) > 1e-3
    # All but what rests: a normalisation's weights, and what a module without an input gives.
    assert sum(change > 0 for change in moved) > len(moved) / 2
    first, second = (rank["ten_steps"] for rank in two)
    difference = 0.0
    for result in (first, second):
        assert result["losses"] == pytest.approx(alone["losses"], abs=1e-4)
        assert result["best"] == pytest.approx(alone["best"], abs=1e-4)
        for name, weight in alone["weights"].items():
            difference = max(difference, float((result["weights"][name] - weight).abs().max()))
    assert difference <= 1e-4
    for name, weight in first["weights"].items():
        assert torch.equal(weight, second["weights"][name]), name


REST = "schedule.freeze_norm=true"
PHASES = (
    "schedule.phases=[{epochs: 1, freeze: [encoder]}, {}]",
    "schedule.epochs=3",
    "data.augmentation=none",
    "runtime.checkpoint_steps=null",
)


def two_phases(ranks: Ranks, folder: Path, *extra: str) -> list[dict[str, Tensor]]:
    """Weights at the begin and after each epoch."""
    settings = tiny_settings(*PHASES, *extra)
    torch.manual_seed(1)
    model = TinyNet(dropout=0.0)
    seen = []

    def listener(report: Any) -> None:
        if report.kind in ("begin", "epoch"):
            seen.append({name: value.clone() for name, value in model.state_dict().items()})

    make_loop(
        folder / f"of{ranks.world_size}", settings, model=model, ranks=ranks, listener=listener
    ).run()
    return seen


def test_an_unfrozen_module_learns_and_is_synchronised(two: list[dict[str, Any]]) -> None:
    first, second = (rank["phases"] for rank in two)
    for name in ("encoder.0.weight", "encoder.1.weight", "encoder.1.running_mean"):
        begin, frozen, *free = [weights[name] for weights in first]
        assert torch.equal(begin, frozen), name
        assert not torch.equal(frozen, free[0]), name
    assert not torch.equal(first[0]["head.weight"], first[1]["head.weight"])
    # Each rank saw other samples: without a new wrap the encoders would have parted.
    for mine, theirs in zip(first, second, strict=True):
        for name, value in mine.items():
            assert torch.equal(value, theirs[name]), name


def test_phases_with_norm_at_rest_equal_one_rank(two: list[dict[str, Any]], tmp_path: Path) -> None:
    alone = two_phases(Ranks(), tmp_path, REST)
    for result in (rank["phases_at_rest"] for rank in two):
        for mine, theirs in zip(alone, result, strict=True):
            for name, value in mine.items():
                assert (value - theirs[name]).abs().max() <= 1e-4, name


def stopped_at(ranks: Ranks, folder: Path, step: int | None) -> dict[str, Tensor]:
    """Dropout, moving average and live statistics; stopped at a step by the main rank alone."""
    settings = tiny_settings("runtime.checkpoint_steps=2")
    if step is not None:
        loop = make_loop(
            folder,
            settings,
            ranks=ranks,
            listener=lambda report: ranks.is_main and report.step == step,
        )
        assert loop.run().reason == "asked"
        assert loop.position.step == 5  # the checkpoint after it
    loop = make_loop(folder, settings, ranks=ranks)
    loop.run()
    average = loop.stepper.average
    assert average is not None
    return {**loop.stepper.model.state_dict(), **prefixed("average", average.state())}


def test_two_ranks_go_on_with_the_same_bits(two: list[dict[str, Any]]) -> None:
    for name, value in two[0]["whole"].items():
        for other in (two[1]["whole"], two[0]["stopped"], two[1]["stopped"]):
            assert torch.equal(value, other[name]), name


def statistics(ranks: Ranks) -> list[Any]:
    values = [torch.tensor([1.0, 2.0]) * ranks.rank, torch.tensor(3), torch.tensor(1.5)]
    ranks.average_(values)
    return [value.tolist() for value in values]


def test_running_statistics_become_the_mean_of_the_ranks(two: list[dict[str, Any]]) -> None:
    for rank in two:
        assert rank["statistics"] == [[0.5, 1.0], 3, 1.5]


def checkpoints_apart(ranks: Ranks, folder: Path, number: int) -> str:
    """What is said where the first so many ranks see a checkpoint, each of another step."""
    settings = tiny_settings("schedule.epochs=1")
    mine = folder / str(ranks.rank)
    if ranks.rank < number:
        loop = make_loop(mine, settings)
        loop.position.step = ranks.rank + 3
        loop._save_last()
    try:
        make_loop(mine, settings, ranks=ranks).run()
    except TrainingError as error:
        return str(error)
    return ""


def test_ranks_that_read_different_checkpoints_do_not_go_on(two: list[dict[str, Any]]) -> None:
    for rank in two:
        missing, older = rank["apart"]
        assert "the ranks read different checkpoints (step 3, none)" in missing
        assert "the ranks read different checkpoints (step 3, step 4)" in older
