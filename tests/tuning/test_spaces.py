"""What can be searched, and what is said of what cannot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from odm.core.errors import InputError
from odm.training.settings import DetectorSettings, SegmenterSettings, read_settings
from tuning.objectives import objectives_of
from tuning.spaces import (
    Space,
    find_search,
    make_space,
    read_space,
    settings_of,
)

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("task", ["segmenter", "detector", "thresholds"])
def test_the_spaces_that_come_with_it(task: str) -> None:
    space = read_space(CONFIGS / f"space_{task}.yaml", task)
    assert set(space.domains) <= set(find_search(task).load("parameters"))
    assert set(space.distributions) == set(space.domains)
    if find_search(task).has("settings"):
        space.check(find_search(task).load("settings")())


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"learning_rat": {"low": 1, "high": 2}}, "unknown key 'learning_rat'.*learning_rate"),
        ({"dice": {"low": 2, "high": 1}}, "dice: the range is empty: low 2 is above high 1"),
        ({"odconv": {"choices": []}}, "odconv: the range is empty"),
        ({"odconv": {"choices": ["all", "all"]}}, "one of them is there twice"),
        ({"odconv": {"choices": ["al"]}}, "odconv: 'al' is none of none, depthwise"),
        ({"sdi_levels": {"choices": [False]}}, 'False is none of off, 4-32, all .*write "off"'),
        ({"odconv_kernels": {"low": 1, "high": 4}}, "odconv_kernels: give choices, such as 1, 2"),
        ({"image_size": {"low": 256, "high": 512}}, "image_size: give choices"),
        ({"image_size": {"choices": [250]}}, "image_size: 250 is no multiple of 32"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "begins above 0"),
        ({"learning_rate": {"low": 1, "hih": 2}}, "unknown key 'hih'.*did you mean high"),
        ({"learning_rate": 3}, "learning_rate: holds no settings"),
        ({"batch_size": {"low": 1.5, "high": 4}}, "batch_size: 1.5 is no whole number"),
        ({"strength": {"low": -1, "high": 4}}, "strength: -1 is below 0"),
        ({"strength": {"choices": ["much"]}}, "strength: 'much' is no number"),
        ({"dice": {"low": 1, "high": 2, "step": 0}}, "step: give a number above 0"),
        ({"sdi_channels": {"low": 16, "high": 50, "step": 16}}, "of 16 from 16 do not end at 50"),
        ({"dice": {"low": 1, "high": math.inf}}, "dice: inf is no number"),
        ({"batch_size": {"choices": [4, math.nan]}}, "batch_size: nan is no number"),
        ({}, "there is nothing to search"),
    ],
)
def test_what_cannot_be_searched_is_named(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_space("segmenter", parameters)


def test_a_space_of_another_task(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump({"task": "detector", "parameters": {"mixup": {}}}))
    with pytest.raises(InputError, match="is a space of detector, not of segmenter"):
        read_space(path, "segmenter")


def test_a_value_that_the_settings_refuse_is_found_before_a_trial() -> None:
    space = make_space("segmenter", {"learning_rate": {"low": 0.0, "high": 1.0}})
    with pytest.raises(InputError, match=r"learning_rate = 0.0: .*greater than 0"):
        space.check(SegmenterSettings())


def test_a_model_that_does_not_have_it_is_found_before_a_trial() -> None:
    space = make_space("segmenter", {"sdi_channels": {"choices": [16, 32]}})
    unet = read_settings(None, ["model.architecture=unet"], SegmenterSettings)
    with pytest.raises(InputError, match="sdi_channels = 16: unet: unknown option 'sdi_channels'"):
        space.check(unet)
    misspelt = read_settings(None, ["model.options={odconf: none}"], SegmenterSettings)
    with pytest.raises(InputError, match=r"^odm_unet: unknown option 'odconf'; did you mean"):
        space.check(misspelt)
    wrong = read_settings(None, ["model.options={depth: 3}"], DetectorSettings)
    with pytest.raises(InputError, match="yolox_nano: unknown option 'depth'"):
        make_space("detector", {"mosaic": {"low": 0, "high": 1}}).check(wrong)


def test_distributions() -> None:
    space = make_space(
        "segmenter",
        {
            "sdi_channels": {"low": 16, "high": 64, "step": 16},
            "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "restart_epochs": {"choices": [None, 5]},
        },
    )
    assert space.distributions == {
        "sdi_channels": IntDistribution(16, 64, step=16),
        "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
        "restart_epochs": CategoricalDistribution((None, 5)),
    }
    assert Space("segmenter", space.domains).image_sizes == (None,)
    again = make_space("segmenter", space.to_dict()["parameters"])
    assert again == space


def test_values_become_settings() -> None:
    base = SegmenterSettings().model_copy(
        update={"data": SegmenterSettings().data.model_copy(update={"crop": (512, 512)})}
    )
    values = {
        "sdi_channels": 48,
        "sdi_levels": "off",
        "nucleus_weight": 3.0,
        "image_size": 256,
        "restart_epochs": None,
    }
    found = settings_of("segmenter", base, values)
    assert found.model.options == {"sdi_channels": 48, "sdi_strides": "off"}
    assert found.loss.class_weights == (1.0, 3.0)  # type: ignore[attr-defined]
    assert found.data.crop == (256, 256)  # type: ignore[attr-defined]
    assert base.model.options == {}
    detector = settings_of(
        "detector", DetectorSettings(), {"size": "yolox_s", "frozen_epochs": 3, "mosaic": 0.5}
    )
    assert detector.model.architecture == "yolox_s"
    assert [phase.epochs for phase in detector.schedule.phases] == [3, None]
    assert detector.schedule.phases[0].freeze == ("backbone",)
    assert settings_of("detector", detector, {"frozen_epochs": 0}).schedule.phases == ()


def test_objectives() -> None:
    assert [one.name for one in objectives_of("segmenter")] == ["region_f1"]
    two = objectives_of("segmenter", ["mean_iou", "gmacs"])
    assert [one.direction for one in two] == ["maximize", "minimize"]
    for names, sentence in (
        (["regionf1"], "unknown objective 'regionf1'; did you mean region_f1"),
        (["gmacs", "mean_iou"], "--objective gmacs: the first one decides"),
        (["dice", "dice"], "one is given twice"),
    ):
        with pytest.raises(InputError, match=sentence):
            objectives_of("segmenter", names)
