"""A sweep of short trials on the simulated data: what matters, and what is noise between seeds.

    python benchmarks/tune_sweep.py [--trials 16] [--repeats 2] [--epochs 6] [--local]

SDI channels, T_0 and the learning rate of the small ODM_Unet; region F1 on the validation part. The
best three are trained again with other seeds. Stop and start at will: the sweep goes on. With
``--device cuda --local`` the same trials run on a GPU under plain Optuna, in the same study.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from common import RESULTS, report
from simulated import TRAINING_SEED, training_set

from odm.datasets.orbit import OrbitDataset
from odm.training.settings import read_settings
from tuning.folder import SweepFolder
from tuning.placement import SweepPlacement
from tuning.report import noise_sentence, write_report
from tuning.spaces import make_space
from tuning.stopping import Rule
from tuning.summary import read_sweep
from tuning.sweep import SearchOptions, plan_sweep, run_sweep

CONFIG = Path(__file__).parent.parent / "configs" / "odm_unet_shipped.yaml"
SPACE = {
    "sdi_channels": {"low": 16, "high": 64, "step": 16},
    "restart_epochs": {"choices": [None, 2, 3]},
    "learning_rate": {"low": 2e-4, "high": 8e-3, "log": True},
}


def main() -> None:
    """Run what is left of the sweep, and report it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--half-orbits", type=int, default=480)
    parser.add_argument("--size", type=int, default=256, help="of the images")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--local", action="store_true", help="without Ray")
    parser.add_argument("--work", type=Path, default=Path("runs/tune"))
    options = parser.parse_args()
    data = _sized(training_set(options.work, options.half_orbits), options)
    changes = [
        f"schedule.epochs={options.epochs}",
        "schedule.validation_epochs=2",
        f"schedule.temperature_epochs={max(1, options.epochs // 3)}",
        f"data.crop=[{options.size // 2}, {options.size // 2}]",
        f"runtime.device={options.device}",
        "runtime.loader_threads=1",
        "runtime.checkpoint_steps=null",
        "runtime.tensorboard=false",
    ]
    sweep, dataset = plan_sweep(
        read_settings(CONFIG, changes),
        make_space("segmenter", SPACE),
        data,
        SearchOptions(
            rule=Rule("none"),  # all to their end: what matters is not to be a matter of stopping
            full_epochs=read_settings(CONFIG).schedule.epochs,
        ),
    )
    folder = SweepFolder.of(
        sweep, options.work, f"sweep{options.trials}-{options.epochs}-{options.size}"
    )
    where = SweepPlacement(local=True) if options.local else SweepPlacement(cpus=1, address="local")
    run_sweep(
        folder, sweep, dataset, options.trials, where, repeats=options.repeats,
        say=lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    write_report(folder, folder.path / "report")
    found = read_sweep(folder)
    kept = RESULTS / "tune_sweep"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder.path / "report", kept, ignore=shutil.ignore_patterns("*.html"))
    shutil.copy(folder.journal, kept / folder.journal.name)
    for name in ("best.yaml", "summary.json"):  # they name the data set: not by this machine's path
        text = (kept / name).read_text()
        (kept / name).write_text(text.replace(str(options.work), "runs/tune"))
    rows = [
        {name: "" if value is None else _short(value) for name, value in row.items()}
        for row in found.rows()
    ]
    report(
        "tune_sweep",
        rows,
        importance={name: round(share, 2) for name, share in found.importance.items()},
        noise=noise_sentence(found),
        noise_between_seeds=None if math.isnan(found.noise) else round(found.noise, 4),
        data=f"simulated, seed {TRAINING_SEED}: {options.half_orbits} half-orbits at "
        f"{options.size} x {options.size}; F1 on its validation part",
        epochs=options.epochs,
    )


def _sized(data: Path, options: argparse.Namespace) -> Path:
    """The same data set with smaller images."""
    path = options.work / f"dataset{options.half_orbits}-{options.size}.yaml"
    if not path.exists():
        whole = OrbitDataset.load(data)
        image = replace(whole.settings, height=options.size, width=options.size)
        places = {"archive": whole.archive, "annotations": str(whole.annotations.folder)}
        OrbitDataset.create(path, whole.config.model_copy(update={**places, "image": image}))
    return path


def _short(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
