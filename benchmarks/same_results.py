"""Results of one version of the code, kept so that another version can be held against them.

    python benchmarks/same_results.py make before --checkout ../odm-before   # ten minutes
    python benchmarks/same_results.py make after
    python benchmarks/same_results.py compare before after

Everything is made by the command ``odm`` of a checkout: two simulated archives, a campaign on each,
their scores and catalogs, data sets, an evaluation of each shipped model, two short trainings, a
sweep, and leading edges. What must be the same is kept as a digest of bytes or as plain values.
`compare` exits with 1 and names what differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
VOLATILE = {"version", "code", "seconds", "created", "odm", "odm_version", "code_version"}
"""Keys whose values say when, how fast or by which version something was made."""
MODIFIED_S = 1_700_000_000
"""Time of the last change of every file of the archives: outcomes note it."""
ROUNDING = 1e-12
"""Share of a value below which a difference is that of another order of the same sums."""
TRAINING = [
    "data.batch_size=4",
    "schedule.epochs=2",
    "runtime.device=cpu",
    "runtime.loader_threads=0",
    "runtime.tensorboard=false",
]
SMALL_SEGMENTER = [
    "model.architecture=odm_unet_small",
    "model.options={encoder: tu-mobilenetv3_small_050, sdi_strides: []}",
    "data.crop=[64, 64]",
    "data.validation_batch_size=1",
]


class Checkout:
    """The command ``odm`` and the benchmarks of one checkout, run in one working folder."""

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.work = root, work
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(root),
            "ODM_CACHE": str(work / "cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "100",
        }

    def python(self, *arguments: str) -> str:
        """Run Python in the working folder and return what it prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def odm(self, line: str, *settings: str) -> str:
        """Run a line of the command ``odm``, with settings that may hold spaces after it."""
        return self.python("-m", "odm.cli", *line.split(), *settings)

    def simulate_orbits(self, line: str) -> None:
        """Simulate half-orbits of the sky that every version has."""
        sky = "--sky classic" if "--sky" in self.odm("simulate orbits --help") else ""
        self.odm(f"simulate orbits {line} {sky}")


def archives(code: Checkout) -> dict[str, Any]:
    """Simulate 24 half-orbits and 40 ionograms, each archive with files that cannot be read."""
    code.simulate_orbits(
        "orbits --half-orbits 24 --every 150 --burst 0.04 --start 2021-11-03 --seed 5"
    )
    code.odm("simulate ionograms ionograms --count 40 --seed 5")
    made = {"orbits": tree_digest(code.work / "orbits")}
    made["ionograms"] = tree_digest(code.work / "ionograms")
    last = sorted((code.work / "orbits").glob("*.h5"))[-1]
    last.write_bytes(last.read_bytes()[:9_000_000])
    last = sorted((code.work / "ionograms").glob("*.npz"))[-1]
    last.write_bytes(last.read_bytes()[:500])
    for path in code.work.glob("*/*"):
        os.utime(path, (MODIFIED_S, MODIFIED_S))
    return made


def campaigns(code: Checkout) -> dict[str, Any]:
    """Reprocess, score and list both archives."""
    kept: dict[str, Any] = {}
    for kind in ("orbits", "ionograms"):
        code.odm(f"reprocess {kind} {kind} {kind}-campaign --local --engine eager --threads 1")
        code.odm(f"compact {kind}-campaign")
        folder = code.work / f"{kind}-campaign"
        kept[kind] = {
            "outcomes": tree_digest(folder / "outcomes"),
            "rows": table_digest(folder / "outcomes"),
            "card": json.loads((folder / "campaign.json").read_text()),
            "status": json.loads(code.odm(f"status {kind}-campaign --json")),
            "score": json.loads(
                code.odm(f"score {kind}-campaign --truth {kind}/truth.parquet --json")
            ),
        }
        code.odm(f"catalog {kind}-campaign --out {kind}.csv")
        kept[kind]["catalog"] = file_digest(code.work / f"{kind}.csv")
    return kept


def data_sets(code: Checkout) -> dict[str, Any]:
    """Data sets of both archives, on archives without bad files."""
    code.simulate_orbits("labelled --half-orbits 16 --every 76 --seed 3 --prevalence 0.9")
    code.odm("simulate ionograms sounded --count 32 --seed 9")
    code.odm(
        "dataset create labelled --annotations labelled --size 128 --train 2 "
        "--limits -8 -2 --out orbits.yaml"
    )
    code.odm("dataset ionograms sounded --group-hours 0 --size 128 --out ionograms.yaml")
    return {
        kind: json.loads(code.odm(f"dataset show {kind}.yaml --json"))
        for kind in ("orbits", "ionograms")
    }


def evaluations(code: Checkout) -> dict[str, Any]:
    """Evaluate the shipped models and a method without learning."""
    lines = {
        "segmenter": "odm_unet_small orbits.yaml",
        "detector": "yolox_nano ionograms.yaml --part validation",
        "log": "log orbits.yaml --calibrate-on none",
    }
    return {
        name: json.loads(code.odm(f"evaluate {line} --engine eager --json"))
        for name, line in lines.items()
    }


def trainings(code: Checkout) -> dict[str, Any]:
    """Train a segmenter and a detector for two epochs each."""
    kept = {}
    for task, settings in (
        ("segmenter", SMALL_SEGMENTER),
        ("detector", ["model.architecture=yolox_nano"]),
    ):
        data = {"segmenter": "orbits.yaml", "detector": "ionograms.yaml"}[task]
        line = f"train {task} --data {data} --local --out runs-{task}"
        code.odm(line, *TRAINING, *settings)
        (run,) = (code.work / f"runs-{task}").iterdir()
        card = json.loads((run / "model" / "model.json").read_text())
        kept[task] = {
            "run": run.name,
            "weights": file_digest(next((run / "model").glob("*.safetensors"))),
            "digest": card["digest"],
            "metrics": card.get("metrics"),
        }
    return kept


def sweeps(code: Checkout) -> dict[str, Any]:
    """Three trials of a sweep without Ray: parameters and values."""
    (code.work / "space.yaml").write_text(
        "task: segmenter\nparameters:\n  learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}\n"
        "  dice: {low: 0.5, high: 2.0}\n"
    )
    code.odm(
        "tune segmenter --data orbits.yaml --space space.yaml --trials 3 --seed 1 --local "
        "--scheduler none --repeats 0 --name small",
        *TRAINING,
        *SMALL_SEGMENTER,
    )
    program = (
        "import json, sys, optuna; from optuna.storages import JournalStorage; "
        "from optuna.storages.journal import JournalFileBackend as Backend; "
        "optuna.logging.disable_default_handler(); "
        "storage = JournalStorage(Backend(sys.argv[1])); "
        "study = optuna.load_study(study_name=None, storage=storage); "
        "print(json.dumps([[t.number, t.params, t.values, t.state.name] for t in study.trials]))"
    )
    (journal,) = (code.work / "sweeps" / "small").glob("*.journal")
    return {"trials": json.loads(code.python("-c", program, str(journal)))}


def edges(code: Checkout) -> dict[str, Any]:
    """Leading edges of 60 ionograms with true segments."""
    program = code.root / "benchmarks" / "edges.py"
    code.python(str(program), "--ionograms", "60", "--series", "4", "--brief", "--out", "edges")
    written = program.parent / "results" / "edges_brief.json"
    table = json.loads(written.read_text())
    written.unlink()
    return {name: value for name, value in table.items() if name not in ("machine", "rates")}


STEPS: dict[str, Callable[[Checkout], dict[str, Any]]] = {
    "archives": archives,
    "campaigns": campaigns,
    "data sets": data_sets,
    "evaluations": evaluations,
    "trainings": trainings,
    "sweeps": sweeps,
    "edges": edges,
}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree_digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of all files below a folder, but for what names a version."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".json":
                content = json.dumps(without_volatile(json.loads(content)), sort_keys=True).encode()
            total.update(str(path.relative_to(folder)).encode() + b"\0" + content)
    return total.hexdigest()


def table_digest(folder: Path) -> str:
    """SHA-256 of the rows of all Parquet files below a folder, as JSON."""
    import pyarrow.parquet as pq

    paths = sorted(folder.rglob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    lines = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def without_volatile(value: Any) -> Any:
    """Plain values without the keys of `VOLATILE`."""
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    return [without_volatile(item) for item in value] if isinstance(value, list) else value


def make(out: Path, checkout: Path, steps: list[str]) -> None:
    """Write ``results.json`` of a checkout, step by step."""
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    code = Checkout(checkout.resolve(), work.resolve())
    path = out / "results.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    for name in steps:
        started = time.monotonic()
        text = json.dumps(without_volatile(STEPS[name](code)))
        text = text.replace(str(code.work), "WORK").replace(str(code.root), "CHECKOUT")
        kept[name] = json.loads(text)
        path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def compare(a: Path, b: Path) -> int:
    """Print what differs between the results of two folders, and return the exit code."""
    before, after = (json.loads((path / "results.json").read_text()) for path in (a, b))
    differing: list[str] = []
    rounded: list[str] = []
    counted = _differences("", before, after, differing, rounded)
    for line in (*differing[:60], *(f"rounding: {line}" for line in rounded[:20])):
        print(line)
    print(
        f"{counted} values compared, {len(differing)} differ, {len(rounded)} more by less than "
        f"{ROUNDING:g} of the value"
    )
    return 1 if differing else 0


def _differences(
    where: str, before: Any, after: Any, differing: list[str], rounded: list[str]
) -> int:
    """Note where two values differ, and return how many plain values were compared."""
    if isinstance(before, dict) and isinstance(after, dict):
        return sum(
            _differences(f"{where}/{key}", before.get(key), after.get(key), differing, rounded)
            for key in sorted(before.keys() | after.keys())
        )
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return sum(
            _differences(f"{where}[{number}]", *pair, differing, rounded)
            for number, pair in enumerate(zip(before, after, strict=True))
        )
    if before != after and not (before != before and after != after):  # NaN equals NaN here
        numbers = isinstance(before, float) and isinstance(after, float)
        close = numbers and math.isclose(before, after, rel_tol=ROUNDING)
        (rounded if close else differing).append(f"{where}: {before!s:.60} | {after!s:.60}")
    return 1


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make", help="make the results of a checkout")
    maker.add_argument("out", type=Path)
    maker.add_argument("--checkout", type=Path, default=ROOT)
    maker.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    comparer = commands.add_parser("compare", help="compare two folders of results")
    comparer.add_argument("a", type=Path)
    comparer.add_argument("b", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "compare":
        return compare(arguments.a, arguments.b)
    make(arguments.out, arguments.checkout, arguments.steps)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
