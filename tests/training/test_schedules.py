"""Rates and temperature at known steps; the moving average; phases."""

import math

import pytest
import torch

from odm.core.errors import InputError
from odm.models.networks.odconv import ODConv2d
from odm.models.networks.odconv_paths import make_geometry
from odm.training.ema import MovingAverage
from odm.training.phases import make_optimiser, resting_modules, set_learning, set_training
from odm.training.schedules import Schedule, cosine_restarts
from odm.training.settings import OptimiserSettings, PhaseSettings, ScheduleSettings
from tests.training.tiny import TinyNet


def test_paper_schedule_at_known_steps() -> None:
    schedule = Schedule(ScheduleSettings(epochs=1200, restart_epochs=20, minimum=0), 1e-3, 50)
    assert schedule.rate(0) == 1e-3
    assert schedule.rate(500) == pytest.approx(5e-4)  # half a cycle
    assert schedule.rate(999) == pytest.approx(1e-3 * (1 + math.cos(math.pi * 0.999)) / 2)
    assert schedule.rate(1000) == 1e-3  # the first restart
    assert schedule.rate(59_000) == 1e-3


@pytest.mark.parametrize(("first", "multiplier"), [(3, 1), (2, 2), (1, 3)])
def test_rates_are_those_of_torch(first: int, multiplier: int) -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimiser, T_0=first, T_mult=multiplier, eta_min=0.01
    )
    settings = ScheduleSettings(
        epochs=40, restart_epochs=first, restart_multiplier=multiplier, minimum=0.01
    )
    ours = Schedule(settings, 0.1, 8)
    for step in range(40 * 8):
        theirs.step(step / 8)
        assert ours.rate(step) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-12), step


def test_restarts_hit_their_epochs_exactly() -> None:
    begins = [epoch for epoch in range(64) if cosine_restarts(epoch, 1, 2) == 1]
    assert begins == [0, 1, 3, 7, 15, 31, 63]


def test_one_cycle_warm_up_and_phase() -> None:
    settings = ScheduleSettings(
        epochs=10,
        minimum=1e-4,
        warmup_epochs=1,
        phases=(PhaseSettings(epochs=2, rate=0.1, freeze=("encoder",)), PhaseSettings()),
    )
    schedule = Schedule(settings, 1e-2, 4)
    assert schedule.rate(0) == pytest.approx(1e-3 / 5)  # a first step of 5
    assert schedule.rate(4) == pytest.approx(1e-4 + 9e-4 * cosine_restarts(1, 10, 1))
    assert schedule.rate(8) == pytest.approx(1e-4 + 99e-4 * cosine_restarts(2, 10, 1))
    assert schedule.rate(39) > 1e-4


def test_temperature_falls_step_by_step_and_stays() -> None:
    schedule = Schedule(ScheduleSettings(epochs=30), 1e-3, 5)
    assert schedule.temperature(0) == 30
    assert schedule.temperature(1) == pytest.approx(30 - 29 / 50)
    assert schedule.temperature(25) == pytest.approx(15.5)
    assert schedule.temperature(50) == 1
    assert schedule.temperature(149) == 1
    tuned = Schedule(ScheduleSettings(epochs=30, temperature_start=1), 1e-3, 5)
    assert tuned.temperature(0) == 1


def test_moving_average_by_hand() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    average = MovingAverage(model, 0.5)
    expected = 1.0
    for step, weight in enumerate((2.0, 4.0, -1.0), start=1):
        model.weight.data.fill_(weight)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    assert average.state()["weight"].item() == pytest.approx(expected, rel=1e-6)
    with average.applied():
        assert model.weight.item() == pytest.approx(expected, rel=1e-6)
    assert model.weight.item() == -1.0
    other = MovingAverage(torch.nn.Linear(1, 1, bias=False), 0.5)
    other.load(average.state())
    assert torch.equal(other.state()["weight"], average.state()["weight"])


def test_a_resting_module_neither_learns_nor_counts() -> None:
    model = TinyNet()
    resting = resting_modules(model, ("encoder",))
    set_learning(model, resting)
    set_training(model, resting)
    assert not any(p.requires_grad for p in model.encoder.parameters())
    assert all(p.requires_grad for p in model.head.parameters())
    assert not model.encoder[1].training and model.dropout.training
    set_learning(model, [])
    assert all(p.requires_grad for p in model.parameters())


def test_what_cannot_be_frozen() -> None:
    with pytest.raises(InputError, match="module 'encodr' in the model; did you mean encoder"):
        resting_modules(TinyNet(), ("encodr",))
    model = TinyNet()
    with pytest.raises(InputError, match="nothing is left that learns"):
        set_learning(model, resting_modules(model, ("encoder", "head")))


def test_weight_decay_spares_biases_and_scales() -> None:
    model = TinyNet()
    groups = make_optimiser(model, OptimiserSettings(weight_decay=0.1)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert {p.ndim for p in groups[0]["params"]} == {4}
    assert {p.ndim for p in groups[1]["params"]} == {1}
    # The bank of an ODConv is a kernel, flat as it is stored.
    bank = ODConv2d(make_geometry(16, 16, 3))
    assert bank.bank.ndim == 2
