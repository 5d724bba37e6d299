"""Parameters, multiplications and speed of every segmentation model, and ODConv's equal paths.

    python benchmarks/models.py --quick
    python benchmarks/models.py --device cuda

Every cell (model, image size, batch) is timed in several rounds, and within a round all models come
one after the other, so that a machine that slows down slows all of them. What disturbs only adds
time: shown are the best rounds; a cell whose median is more than a quarter slower than its best is
timed again, up to three times as often, and marked ``~`` where that did not help. Cells already
measured in the results file are not measured again; `--fresh` starts anew.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, machine, mark, steadied
from torch.utils.flop_counter import FlopCounterMode

from odm.core.files import write_bytes
from odm.models.networks.odconv import ODConv2d
from odm.models.networks.odconv_paths import make_geometry, supported_paths
from odm.models.networks.segmenters import available_segmenters, create_model

ENCODER = "tu-mobilenetv3_large_100"
QUICK = ("odm_unet", "odm_unet_small", "unet_same_encoder")
COUNT_SIZE = 256

# Layers of the default encoder: (name, settings, height and width at an image of 256).
LAYERS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("1x1, stride 2", {"in_channels": 16, "out_channels": 64, "kernel_size": 1}, 128),
    ("1x1, stride 16", {"in_channels": 112, "out_channels": 672, "kernel_size": 1}, 16),
    ("1x1, stride 32", {"in_channels": 960, "out_channels": 160, "kernel_size": 1}, 8),
    (
        "3x3 depthwise, stride 4",
        {"in_channels": 72, "out_channels": 72, "kernel_size": 3, "padding": 1, "groups": 72},
        64,
    ),
    (
        "5x5 depthwise, stride 8",
        {"in_channels": 120, "out_channels": 120, "kernel_size": 5, "padding": 2, "groups": 120},
        32,
    ),
    (
        "5x5 depthwise, stride 32",
        {"in_channels": 960, "out_channels": 960, "kernel_size": 5, "padding": 2, "groups": 960},
        8,
    ),
)


def variants(quick: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    """Label to architecture and options."""
    models: dict[str, tuple[str, dict[str, Any]]] = {
        name: (name, {}) for name in available_segmenters(learned=True)
    }
    if quick:
        return {label: models[label] for label in QUICK}
    models["deeplabv3plus, same encoder"] = ("deeplabv3plus", {"encoder": ENCODER})
    models["odm_unet, odconv none"] = ("odm_unet", {"odconv": "none"})
    models["odm_unet, odconv depthwise"] = ("odm_unet", {"odconv": "depthwise"})
    models["odm_unet, odconv all n=1"] = ("odm_unet", {"odconv_kernels": 1})
    return models


def seconds(call: Callable[[], object], device: str, at_least_s: float) -> float:
    """Best seconds of a call, repeated for `at_least_s` seconds and at least 3 times."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < at_least_s:
        start = time.perf_counter()
        waited(call, device)
        times.append(time.perf_counter() - start)
    return min(times)


def waited(call: Callable[[], object], device: str) -> None:
    """Call, and wait for what it left running on a GPU."""
    call()
    if device != "cpu":
        torch.cuda.synchronize()


def counts(label: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Parameters, and multiply-adds of one image of 256 x 256."""
    model = create_model(name, **options).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, model.in_channels, COUNT_SIZE, COUNT_SIZE))
    return {
        "model": label,
        "parameters": sum(p.numel() for p in model.parameters()),
        "gmacs_256": counter.get_total_flops() / 2e9,
    }


def time_model(
    name: str, options: dict[str, Any], size: int, batch: int, device: str, at_least_s: float
) -> float:
    """Images per second, eager, channels_last, evaluation mode."""
    model = create_model(name, **options).eval().to(device)
    model = model.to(memory_format=torch.channels_last)
    x = torch.randn(batch, model.in_channels, size, size, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        model(x)
        return batch / seconds(lambda: model(x), device, at_least_s)


def time_paths(
    settings: dict[str, Any], side: int, batch: int, device: str, rounds: int
) -> dict[str, dict[str, Any]]:
    """Milliseconds of every path of a layer: inference, and training forward and backward."""
    torch.manual_seed(0)
    layer = ODConv2d(make_geometry(**settings)).to(device)
    x = torch.randn(batch, settings["in_channels"], side, side, device=device, requires_grad=True)
    layer.eval()
    usable = supported_paths(layer.geometry)

    def forward(path: str) -> torch.Tensor:
        layer.set_execution(path)
        answer: torch.Tensor = layer(x)
        return answer

    # All compared before any is trained: a training step changes the statistics of the attentions.
    with torch.no_grad():
        answers = {path: forward(path) for path in usable}
        reference = answers["group"]
        infer = {path: partial(waited, partial(forward, path), device) for path in usable}
        inference = steadied(infer, rounds, 3 * rounds)

    def step(path: str) -> None:
        forward(path).sum().backward()

    layer.train()
    train = {path: partial(waited, partial(step, path), device) for path in usable}
    training = steadied(train, rounds, 3 * rounds)
    return {
        path: {
            "inference_ms": [1e3 * one for one in inference[path]],
            "training_ms": [1e3 * one for one in training[path]],
            "error": float((answer - reference).abs().max() / reference.abs().max()),
        }
        for path, answer in answers.items()
    }


class Results:
    """The results file: cells by key, each written as soon as it is measured."""

    def __init__(self, path: Path, fresh: bool, about: dict[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"about": about, "counts": {}, "speed": {}, "paths": {}}
        if path.is_file() and not fresh:
            before = json.loads(path.read_text())
            if before["about"] != about:
                raise SystemExit(
                    f"{path} was measured under other conditions ({before['about']}): --fresh "
                    "starts anew, --out keeps it."
                )
            self.content = before

    def put(self, table: str, key: str, value: Any) -> None:
        """Set one cell and write the file."""
        self.content[table][key] = value
        write_bytes(self.path, json.dumps(self.content, indent=1).encode())

    def has(self, table: str, key: str) -> bool:
        """True for a cell that is measured."""
        return key in self.content[table]


def measure(arguments: argparse.Namespace, results: Results) -> None:
    """Fill what is missing."""
    chosen = variants(arguments.quick)
    for label, (name, options) in chosen.items():
        if not results.has("counts", label):
            results.put("counts", label, counts(label, name, options))
    for title, settings, side in LAYERS[:2] if arguments.quick else LAYERS:
        if not results.has("paths", title):
            cell = time_paths(settings, side, 8, arguments.device, 3 * arguments.rounds)
            results.put("paths", title, cell)
    for size in arguments.sizes:
        for batch in arguments.batches:
            for turn in range(3 * arguments.rounds):
                for label, (name, options) in chosen.items():
                    key = f"{label} | {size} | {batch}"
                    done = list(results.content["speed"].get(key, []))
                    if len(done) > turn or (turn >= arguments.rounds and not mark(times(done))):
                        continue
                    rate = time_model(
                        name, options, size, batch, arguments.device, arguments.seconds
                    )
                    results.put("speed", key, [*done, rate])
                    print(f"{key}: {rate:.2f} images/s", flush=True)


def times(rates: list[float]) -> list[float]:
    """Seconds of an image, of images per second."""
    return [1 / rate for rate in rates]


def show(results: Results) -> None:
    """Print one table of the models and one of the paths."""
    speed: dict[str, list[float]] = results.content["speed"]
    cells = sorted({tuple(map(int, key.split(" | ")[1:])) for key in speed})
    head = "".join(f"{f'{size}² x {batch}':>12}" for size, batch in cells)
    print(f"\n{'images/s, best of rounds':34}{'M params':>10}{'GMACs':>8}{head}")
    for label, row in results.content["counts"].items():
        rates = [speed.get(f"{label} | {size} | {batch}") for size, batch in cells]
        shown = "".join(
            f"{f'{max(r):.2f}{mark(times(r))}':>12}" if r else f"{'-':>12}" for r in rates
        )
        print(f"{label:34}{row['parameters'] / 1e6:10.2f}{row['gmacs_256']:8.2f}{shown}")
    print(f"\n{'ODConv, n = 4, batch 8, best ms':34}{'path':>10}{'inference':>12}{'training':>12}")
    for title, paths in results.content["paths"].items():
        for path, cell in paths.items():
            shown = "".join(
                f"{f'{min(ms):.2f}{mark(ms)}':>12}"
                for ms in (cell["inference_ms"], cell["training_ms"])
            )
            print(f"{title:34}{path:>10}{shown}   differs by {cell['error']:.0e}")


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three models, small images")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=2.0, help="shortest time of a cell")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=None)
    parser.add_argument("--batches", type=int, nargs="+", default=None)
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    arguments.sizes = arguments.sizes or ([256] if arguments.quick else [256, 512])
    arguments.batches = arguments.batches or ([1] if arguments.quick else [1, 8])
    torch.set_num_threads(arguments.threads)
    about = {
        "device": torch.cuda.get_device_name() if arguments.device != "cpu" else "cpu",
        "machine": machine(),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "engine": "eager, float32, channels_last",
    }
    path = arguments.out or RESULTS / f"models{'-quick' if arguments.quick else ''}.json"
    results = Results(path, arguments.fresh, about)
    measure(arguments, results)
    show(results)


if __name__ == "__main__":
    main()
