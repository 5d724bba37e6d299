"""ODM_Unet on a CPU by engine: images per second, side by side.

    python benchmarks/engines.py [--size 512] [--batch 2] [--threads 2] [--compile] [--fast]

Every round runs each engine once, one after the other, so that what else the machine does disturbs
all alike; given are medians and, since what disturbs only adds time, the best rounds, which the
goal is about. Rounds are repeated while a median is more than a quarter slower than the best; ``~``
marks what stayed so. On a busy machine PyTorch loses most, whose threads wait for each other after
every layer, so the load is printed.
The weights are random: they do not change the time taken.

``eager contiguous`` is what a plain script does; ``eager`` is this package's engine of that name
(channels last); the goal compares the fastest engine with the plain script.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from functools import partial
from typing import Any

import torch
from common import mark, report, steadied
from torch import Tensor

from odm.models.engines import (
    Run,
    Size,
    build_engine,
    example_input,
    missing_packages,
)
from odm.models.networks.base import SegmentationModel, foreground
from odm.models.networks.odconv import TEMPERATURE_START, set_temperature
from odm.models.networks.segmenters import create_model

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
    parser.add_argument("--fast", action="store_true", help="two rounds of a small model, to try")
    options = parser.parse_args()
    if options.fast:
        options.model, options.size, options.rounds = "odm_unet_small", 128, 2
    torch.set_num_threads(options.threads)
    rows, facts = measure(options)
    report("engines-fast" if options.fast else "engines", rows, **facts)


def measure(options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Build every engine, compare its answers, then time all in turns."""
    torch.manual_seed(0)
    model = create_model(options.model)
    size = (options.size, options.size)
    settle(model, size, options.batch)
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
    cases = {name: partial(run, x) for name, run in runs.items()}
    seconds = steadied(cases, options.rounds, 3 * options.rounds)
    plain = seconds[PLAIN]
    ratios = {name: min(plain) / min(times) for name, times in seconds.items()}
    rows = [
        {
            "engine": name,
            "images/s, best": f"{options.batch / min(times):.2f}",
            "against plain, best": f"{ratios[name]:.2f}",
            "images/s, median": f"{options.batch / statistics.median(times):.2f}{mark(times)}",
            "against plain, median": f"{statistics.median(plain) / statistics.median(times):.2f}",
            "build, s": f"{built[name]:.1f}",
            "largest difference": f"{differences[name]:.1e}",
        }
        for name, times in seconds.items()
    ]
    facts = {
        "what": f"{options.model}, batch {options.batch}, {size[0]} x {size[1]}, float32, "
        f"{options.threads} threads, torch {torch.__version__}",
        "rounds": len(plain),
        "load": round(load, 2),
        "absent": absent,
        "seconds": {name: [round(one, 4) for one in times] for name, times in seconds.items()},
        "goal": f"{GOAL} x {PLAIN}, best round against best round",
        "reached": max(ratios.values()) >= GOAL,
    }
    return rows, facts


def settle(model: SegmentationModel, size: Size, batch: int = 2) -> None:
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

    x = example_input(model, batch, size)
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


if __name__ == "__main__":
    main()
