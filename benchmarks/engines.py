"""ODM_Unet on a CPU by engine: images per second, side by side.

    python benchmarks/engines.py [--size 512] [--batch 2] [--threads 2] [--compile] [--fast]

Every round runs each engine once, one after the other, so that what else the machine does disturbs
all alike; given are medians and, since what disturbs only adds time, the best rounds. On a busy
machine PyTorch loses most, whose threads wait for each other after every layer, so the load is
printed.
The weights are random: they do not change the time taken.

``eager contiguous`` is what a plain script does; ``eager`` is this package's engine of that name
(channels last); the goal compares the fastest engine with the plain script.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from odm.archive.files import write_bytes
from odm.findings.engines import (
    Run,
    Size,
    build_engine,
    example_input,
    missing_packages,
)
from odm.models.base import SegmentationModel, foreground
from odm.models.odconv import TEMPERATURE_START, set_temperature
from odm.models.segmenters import create_model

GOAL = 1.8
PLAIN = "eager contiguous"


def main() -> None:
    """Parse, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="odm_unet")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true", help="add compile (minutes to build)")
    parser.add_argument("--fast", action="store_true", help="one round of a small model, to try")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/engines.json"))
    options = parser.parse_args()
    if options.fast:
        options.model, options.size, options.rounds = "odm_unet_small", 128, 1
    torch.set_num_threads(options.threads)
    result = measure(options)
    print(table(result))
    write_bytes(options.out, (json.dumps(result, indent=1) + "\n").encode())


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Build every engine, compare its answers, then time all in turns."""
    torch.manual_seed(0)
    model = create_model(options.model)
    size = (options.size, options.size)
    settle(model, size)
    x = example_input(model, options.batch, size)
    runs: dict[str, Run] = {PLAIN: _plain(model)}
    built: dict[str, float] = {PLAIN: 0.0}
    absent: dict[str, str] = {}
    for engine in ("eager", "onnx", "openvino", *(["compile"] if options.compile else [])):
        missing = missing_packages(engine)
        if missing:
            absent[engine] = f"needs {' and '.join(missing)}"
            continue
        start = time.perf_counter()
        runs[engine] = build_engine(engine, model, options.batch, size)
        built[engine] = time.perf_counter() - start
    expected = foreground(runs[PLAIN](x))
    if float(expected.max() - expected.min()) < 0.1:
        raise SystemExit("the answers hardly vary, so comparing them says nothing")
    differences = {
        name: float((foreground(run(x)) - expected).abs().max()) for name, run in runs.items()
    }
    load = os.getloadavg()[0]
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run(x)
            seconds[name].append(time.perf_counter() - start)
    plain = statistics.median(seconds[PLAIN])
    return {
        "what": f"{options.model}, batch {options.batch}, {size[0]} x {size[1]}, float32",
        "threads": options.threads,
        "rounds": options.rounds,
        "machine": platform.machine(),
        "load": round(load, 2),
        "torch": torch.__version__,
        "absent": absent,
        "engines": [
            {
                "engine": name,
                "images_per_second": options.batch / statistics.median(times),
                "ratio_to_plain": plain / statistics.median(times),
                "best_images_per_second": options.batch / min(times),
                "best_ratio_to_plain": min(seconds[PLAIN]) / min(times),
                "seconds": times,
                "build_seconds": built[name],
                "largest_difference": differences[name],
            }
            for name, times in seconds.items()
        ],
        "goal": GOAL,
        "reached": max(plain / statistics.median(times) for times in seconds.values()) >= GOAL,
    }


def settle(model: SegmentationModel, size: Size = (512, 512)) -> None:
    """Fit the statistics of random weights to their input, in place, from the first layer on.

    Without it the products of SDI fade to nothing, every answer is 0.5, and comparing answers says
    nothing. One layer after the other, in evaluation mode, and with the attentions of dynamic
    convolutions as mild as training begins with: else what each layer is off by multiplies.
    """
    set_temperature(model, TEMPERATURE_START)

    def fit(norm: Any, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0]
        over = [0, *range(2, values.ndim)]
        norm.running_mean.copy_(values.mean(dim=over))
        norm.running_var.copy_(values.var(dim=over, unbiased=False))

    x = example_input(model, 2, size)
    norms = [one for one in model.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(fit) for norm in norms]
    with torch.no_grad():
        model.eval()(x)
    for hook in hooks:
        hook.remove()
    # The logits of a trained model: a few units. Products of random maps have far outliers, whose
    # rounding would be all that a comparison sees.
    with torch.no_grad():
        logits = model(x)
        head = [one for one in model.modules() if isinstance(one, torch.nn.Conv2d)][-1]
        head.weight.mul_(5 / logits.abs().flatten()[::7].quantile(0.999))


def _plain(model: SegmentationModel) -> Run:
    def run(x: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = model(x.contiguous())
            return logits

    return run


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    lines = [
        f"{result['what']}, {result['threads']} threads, {result['rounds']} rounds, "
        f"load {result['load']}",
        f"{'engine':<18}{'images/s':>10}{'ratio':>8}{'best':>8}{'ratio':>8}{'build, s':>10}"
        f"{'difference':>12}",
    ]
    for row in result["engines"]:
        lines.append(
            f"{row['engine']:<18}{row['images_per_second']:>10.2f}{row['ratio_to_plain']:>8.2f}"
            f"{row['best_images_per_second']:>8.2f}{row['best_ratio_to_plain']:>8.2f}"
            f"{row['build_seconds']:>10.1f}{row['largest_difference']:>12.1e}"
        )
    lines += [f"{name}: {why}" for name, why in result["absent"].items()]
    lines.append(f"goal: {result['goal']} x {PLAIN}: {'yes' if result['reached'] else 'no'}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
