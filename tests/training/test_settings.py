"""Settings: files, key=value, and sentences on what cannot be."""

from pathlib import Path

import pytest

from odm.core.errors import InputError
from odm.training.settings import SegmenterSettings, read_settings

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["odm_unet", "odm_unet_paper", "odm_unet_small"])
def test_shipped_configurations_are_valid(name: str) -> None:
    from odm.models.networks.segmenters import available_segmenters

    settings = read_settings(CONFIGS / f"{name}.yaml")
    assert settings.model.architecture in available_segmenters(learned=True)


def test_the_paper_by_name() -> None:
    settings = read_settings(CONFIGS / "odm_unet_paper.yaml")
    assert (settings.optimiser.name, settings.optimiser.learning_rate) == ("adam", 1e-3)
    assert (settings.data.batch_size, settings.data.augmentation) == (16, "paper")
    assert (settings.schedule.epochs, settings.schedule.restart_epochs) == (1200, 20)
    assert settings.loss.dice == 1 and settings.compute.ema is None


def test_overrides() -> None:
    settings = read_settings(
        CONFIGS / "odm_unet_small.yaml",
        [
            "optimiser.learning_rate=3e-4",
            "data.crop=[64, 96]",
            "compute.ema=null",
            "model.options.sdi_channels=16",
            "model.options.encoder=tu-mobilenetv3_small_050",
            "schedule.phases=[{epochs: 2, freeze: [encoder]}, {}]",
        ],
    )
    assert settings.optimiser.learning_rate == 3e-4
    assert settings.data.crop == (64, 96)
    assert settings.compute.ema is None
    assert settings.model.options == {"sdi_channels": 16, "encoder": "tu-mobilenetv3_small_050"}
    assert settings.schedule.phase_of(1).freeze == ("encoder",)
    assert settings.schedule.phase_of(2).freeze == ()
    assert settings.data.batch_size == 8


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optimiser.learning_rat=1", "did you mean optimiser.learning_rate"),
        ("learning_rate=1", "did you mean optimiser.learning_rate"),
        ("optimizer.clip_norm=1", "did you mean optimiser.clip_norm"),
        ("epoch=3", "did you mean schedule.epochs"),
        ("zzz=3", "known: seed, model, data"),
        ("data.batch_size", "write a setting as key=value"),
        ("data.crop=[64", "is no value in YAML"),
        ("data.batch_size=0", "data.batch_size: input should be greater than or equal to 1"),
        ("data.batch_size=many", "data.batch_size: .* not 'many'"),
        ("data.crop=[60, 64]", "crop 60: give multiples of 32"),
        ("optimiser.accumulate=3", "batch_size of 16 does not divide into 3"),
        ("schedule.phases=[{}, {}]", "every phase but the last needs its number of epochs"),
        ("schedule.phases=[{epochs: 100}, {}]", "leave no epoch of 100"),
        ("schedule.phases=[{epochs: 7}]", "have 7 epochs of 100"),
    ],
)
def test_what_cannot_be_is_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        read_settings(None, [override])
    assert "\n" not in str(caught.value)


def test_an_unknown_key_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("optimiser:\n  learning_rat: 1\n")
    with pytest.raises(InputError, match="'learning_rat' in optimiser; did you mean learning_rate"):
        read_settings(path)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("layers_small", "bcd4211e1ecc59f2"),
        ("odm_unet", "9405a04434442ca0"),
        ("odm_unet_paper", "93e5729f689246bc"),
        ("odm_unet_shipped", "d09a359c76dba6f8"),
        ("odm_unet_small", "92a196aaefac92c5"),
    ],
)
def test_runs_of_older_versions_keep_their_names(name: str, digest: str) -> None:
    config = Path(__file__).parents[2] / "configs" / f"{name}.yaml"
    assert read_settings(config).digest.startswith(digest)


def test_the_digest_covers_what_decides_the_result() -> None:
    base = SegmenterSettings()
    assert base.digest == read_settings(None, ["runtime.loader_threads=7"]).digest
    assert base.digest != read_settings(None, ["seed=1"]).digest
    assert base.digest != read_settings(None, ["compute.precision=bfloat16"]).digest
