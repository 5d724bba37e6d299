"""Ways to run one model, all giving the same answer.

========== ===================================== =====================
engine     what runs the model                   needs
========== ===================================== =====================
`eager`    PyTorch as it is                      -
`compile`  PyTorch's compiler, minutes at start  a C++ compiler
`onnx`     onnxruntime, CPU                      odm[onnx]
`openvino` OpenVINO, CPU                         odm[openvino]
========== ===================================== =====================

`auto` is the fastest that is installed: on a GPU `compile`, on a CPU `openvino`, else `onnx`, else
`eager`, which is also taken where another cannot run a model. Everything but `eager` is checked
against it when the model is exported.

onnxruntime is given `odm.models.export`'s file, which takes any batch. OpenVINO converts what
`torch.export` gives for a batch of one: a fixed batch allows dynamic convolutions as single
operations, where the ONNX file has a slice of the map for each tap of a kernel. It runs the images
of a batch side by side, each in a thread of its own, which need not wait for each other.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from odm.core.cache import one_at_a_time
from odm.core.errors import InputError, OdmError
from odm.core.files import write_bytes
from odm.core.progress import waiting
from odm.models.networks.base import ImageModel, to_input
from odm.models.networks.odconv import executed

ENGINES = ("auto", "eager", "compile", "onnx", "openvino")
TOLERANCE = 1e-3
"""Largest difference from eager, of the model's `answer`: the foreground's probability."""

Run = Callable[[Tensor], Tensor]
"""Input (B, C, H, W) as `to_input` makes it → output (B, ...), of a segmenter logits."""
Size = tuple[int, int]


class EngineError(OdmError):
    """A model that an engine cannot run, or runs wrongly."""


_NEEDS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("openvino",)}
_SUFFIX = {"onnx": ".onnx", "openvino": ".xml"}
_NAMES = {"onnx": "ONNX", "openvino": "OpenVINO"}


def missing_packages(engine: str) -> tuple[str, ...]:
    """Packages that an engine needs and that are not installed."""
    return tuple(name for name in _NEEDS.get(engine, ()) if find_spec(name) is None)


def choose_engine(engine: str, device: torch.device) -> str:
    """Resolve ``auto``, and check that the engine can run here.

    Raises:
        InputError: an unknown engine, one whose packages are missing, or one that runs on CPUs only
            asked for on another device.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r}: give one of {', '.join(ENGINES)}")
    on_cpu = device.type == "cpu"
    if engine == "auto":
        if not on_cpu:
            return "compile"
        installed = (name for name in ("openvino", "onnx") if not missing_packages(name))
        return next(installed, "eager")
    missing = missing_packages(engine)
    if missing:
        raise InputError(
            f"engine {engine!r} needs {' and '.join(missing)}, which is not installed: "
            f"install odm[{engine}], or choose another engine"
        )
    if engine in _NEEDS and not on_cpu:
        raise InputError(f"engine {engine!r} runs on CPUs only, not on {device}")
    return engine


@dataclass(frozen=True)
class ExportCache:
    """A local folder that keeps exported models, so that only the first process has to export.

    Attributes:
        folder: the folder.
        digest: the model's, as its folder says.
    """

    folder: Path
    digest: str

    def path(self, engine: str, size: Size) -> Path:
        """Return the file of one export; other versions of what makes them have other files."""
        from importlib.metadata import version

        from odm import __version__

        maker = version("onnxruntime" if engine == "onnx" else engine)
        versions = f"odm{__version__}-torch{torch.__version__.partition('+')[0]}-{engine}{maker}"
        name = f"{self.digest[:16]}-{size[0]}x{size[1]}-{versions}{_SUFFIX[engine]}"
        return self.folder / name


def build_engine(
    engine: str,
    model: ImageModel,
    batch: int,
    size: Size,
    precision: torch.dtype = torch.float32,
    exports: ExportCache | None = None,
) -> Run:
    """Make a model ready to run.

    Args:
        engine: as `choose_engine` gives it, not ``auto``.
        model: on its device, in evaluation mode.
        batch: images in every call.
        size: (H, W) of every image.
        precision: float32, or bfloat16 for autocast by `eager` and `compile`.
        exports: where exports are kept for other processes; None to keep none.

    Raises:
        InputError: a size that does not fit the model.
        EngineError: the engine cannot run the model, or answers differently from eager.
    """
    eager = _with_torch(model, precision)
    if engine == "eager":
        return eager
    images = example_input(model, batch, size)
    model.check(images)
    if engine == "compile":
        import torch._dynamo.config as dynamo

        waiting("compiling model")
        run = _with_torch(torch.compile(model, fullgraph=True, dynamic=False), precision)
        # The compiler counts the compilations of a function, of all models and sizes of images
        # together, and would take the ninth for a mistake.
        without_limit = dynamo.patch(recompile_limit=10**6, accumulated_recompile_limit=10**6)
        with _explained(engine, model), without_limit:
            run(images)  # compiles: now rather than in the first batch
        # Rounding to bfloat16 happens at other places: answers are compared in float32 only.
        if precision == torch.float32:
            _check(engine, run, eager, model, images)
        return run

    def load(path: Path) -> Run:
        with _explained(engine, model):
            run = _Onnx(path) if engine == "onnx" else _OpenVino(path, batch)
        _check(engine, run, eager, model, images)
        return run

    if exports is None:
        return _export_and_load(engine, model, size, load, None)
    kept = exports.path(engine, size)
    with one_at_a_time(kept):
        return _reload(kept, load) or _export_and_load(engine, model, size, load, kept)


def _reload(path: Path, load: Callable[[Path], Run]) -> Run | None:
    """Load what an earlier process has exported; None where there is nothing of use."""
    if not path.is_file():
        return None
    try:
        return load(path)
    except EngineError:
        path.unlink(missing_ok=True)  # cut short, or of another model: made anew
        return None


def _export_and_load(
    engine: str, model: ImageModel, size: Size, load: Callable[[Path], Run], keep: Path | None
) -> Run:
    """Export now, and keep that for the next process where it can be."""
    waiting(f"exporting model to {_NAMES[engine]}")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / (f"model{_SUFFIX[engine]}" if keep is None else keep.name)
        with _explained(engine, model):
            _export(engine, model, path, size)
        run = load(path)
        if keep is not None:
            # A cache that cannot be written is no failure; the next process exports again.
            with suppress(OdmError, OSError):
                # The .xml last: it is looked for, and an OpenVINO model's weights lie beside.
                for file in sorted(Path(temporary).iterdir(), key=lambda file: file == path):
                    write_bytes(keep.parent / file.name, file.read_bytes())
    return run


@contextmanager
def _explained(engine: str, model: ImageModel) -> Iterator[None]:
    """Turn what an engine's libraries raise, each with kinds of its own, into `EngineError`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise EngineError(
            f"engine {engine!r} cannot run {model.architecture} ({reason}): use engine 'eager'"
        ) from error


def _check(engine: str, run: Run, eager: Run, model: ImageModel, images: Tensor) -> None:
    """Compare an engine with eager on images as the model takes them.

    Raises:
        EngineError: the model's `answer` differs by more than `TOLERANCE`.
    """
    difference = float((model.answer(run(images)) - model.answer(eager(images))).abs().max())
    # Written this way round, so that a NaN does not pass.
    if not difference <= TOLERANCE:
        raise EngineError(
            f"engine {engine!r} answers differently from eager by {difference:.1e}, more than "
            f"{TOLERANCE:.0e}: use engine 'eager' for {model.architecture}"
        )


def example_input(model: ImageModel, batch: int, size: Size) -> Tensor:
    """Images with large and small structure and a missing column, as the model takes them."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(batch, 1, size[0] // 16 + 1, size[1] // 16 + 1, generator=generator)
    grey = 110 + 50 * F.interpolate(coarse, size, mode="bilinear")
    grey = grey + 20 * torch.randn(batch, 1, *size, generator=generator)
    images = grey.clamp(1, 255).to(torch.uint8)
    images[..., size[1] // 3] = 0
    return to_input(images.to(next(model.parameters()).device), model)


def _with_torch(module: Callable[[Tensor], Tensor], precision: torch.dtype) -> Run:
    """PyTorch on any device; channels last is the faster layout for convolutions on both kinds."""
    lower = precision != torch.float32

    def run(x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast(x.device.type, precision, enabled=lower):
            return module(x)

    return run


def _export(engine: str, model: ImageModel, path: Path, size: Size) -> None:
    if engine == "onnx":
        from odm.models.export import export_onnx

        export_onnx(model, path, size)
        return
    import openvino

    # Left to themselves, dynamic convolutions export for any batch: as slices of the map.
    with warnings.catch_warnings(), executed(model, "fixed"), torch.no_grad():
        # Exporters warn about their own internals; whether the result is right is checked.
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (example_input(model, 1, size),))
        network = openvino.convert_model(program)
    network.reshape([1, model.in_channels, *size])  # the conversion forgets the input's size
    openvino.save_model(network, path, compress_to_fp16=False)


class _Onnx:
    """onnxruntime, with as many threads as PyTorch has."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        # Errors only: what it cannot fold beforehand is no user's concern.
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        self.name = self.session.get_inputs()[0].name

    def __call__(self, x: Tensor) -> Tensor:
        (logits,) = self.session.run(None, {self.name: x.contiguous().numpy()})
        return torch.from_numpy(logits)


class _OpenVino:
    """OpenVINO with as many threads as PyTorch has; single images, as many at once as it can."""

    def __init__(self, path: Path, batch: int) -> None:
        import openvino

        threads = torch.get_num_threads()
        streams = min(batch, threads)
        core = openvino.Core()
        settings = {
            # Some CPUs would take bfloat16, which differs by more than the tolerance.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": streams,
        }
        # Read into memory: the files may be temporary.
        network = core.read_model(path.read_bytes(), path.with_suffix(".bin").read_bytes())
        self.compiled = core.compile_model(network, "CPU", settings)
        self.queue = openvino.AsyncInferQueue(self.compiled, streams)
        self.queue.set_callback(self._keep)
        self.results: dict[int, Tensor] = {}

    def _keep(self, request: Any, number: int) -> None:
        self.results[number] = torch.from_numpy(request.get_output_tensor(0).data.copy())

    def __call__(self, x: Tensor) -> Tensor:
        images = x.contiguous().numpy()
        for number in range(len(images)):
            self.queue.start_async({0: images[number : number + 1]}, number)
        self.queue.wait_all()
        return torch.cat([self.results.pop(number) for number in range(len(images))])
