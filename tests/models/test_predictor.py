import logging
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.core.errors import InputError, OdmError
from odm.models import engines
from odm.models.engines import EngineError, choose_engine, missing_packages
from odm.models.networks.base import SegmentationModel, foreground, to_input
from odm.models.predictor import Predictor, find_device

SIZE = (32, 48)
CPU = torch.device("cpu")


class Tiny(SegmentationModel):
    """Two convolutions; remembers the shapes that it was given."""

    def __init__(self, classes: int = 2, in_channels: int = 3) -> None:
        super().__init__("tiny", {}, in_channels=in_channels, classes=classes, multiple=8)
        torch.manual_seed(3)
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, classes, 3, padding=1),
        )  # fmt: skip
        with torch.no_grad():
            self.net[3].weight.mul_(4)  # answers from nearly 0 to nearly 1
        self.seen: list[tuple[int, ...]] = []

    def logits(self, x: Tensor) -> Tensor:
        if not torch.compiler.is_compiling():
            self.seen.append(tuple(x.shape))
        return self.net(x)


class Threshold:
    """A method without learning: brighter than the middle is foreground, the sure way."""

    architecture, options, classes, multiple = "threshold", {}, 2, 1

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert images.ndim == 4
        yes = np.where(images[:, 0] > 127, 0.8, 0.1).astype(np.float32)
        return np.stack([1 - yes, yes], axis=1)


def images(count: int, size: tuple[int, int] = SIZE, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, *size), dtype=np.uint8)


def expected(model: Tiny, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities as the model's own `predict` gives them."""
    return 1 - model.predict(batch[:, None])[:, 0]


def test_answers_are_the_models_own_rounded_to_levels() -> None:
    model, batch = Tiny(), images(3)
    answers = Predictor(model, engine="eager", batch=3)(batch)
    assert answers.dtype == np.uint8
    assert answers.shape == (3, *SIZE)
    probability = expected(model, batch)
    assert np.ptp(probability) > 0.8
    assert np.abs(answers - 255 * probability).max() <= 0.5 + 1e-3


def test_every_call_has_the_same_shape_and_padding_does_not_matter() -> None:
    model, batch = Tiny(), images(5)
    predictor = Predictor(model, engine="eager", batch=4)
    together = predictor(batch)
    assert set(model.seen) == {(4, 3, *SIZE)}
    assert len(model.seen) == 2
    alone = np.concatenate([predictor(batch[i : i + 1]) for i in range(5)])
    assert np.array_equal(together, alone)
    assert predictor(batch[:0]).shape == (0, *SIZE)


def test_any_class_but_the_background_is_foreground() -> None:
    model, batch = Tiny(classes=3), images(1)
    answers = Predictor(model, engine="eager")(batch)
    assert np.abs(answers - 255 * expected(model, batch)).max() <= 0.5 + 1e-3
    logits = torch.tensor([[0.0, 0.0, np.log(2.0)]])[:, :, None, None]
    assert foreground(logits).item() == pytest.approx(3 / 4)
    assert foreground(logits[:, 1:]).item() == pytest.approx(2 / 3)


def test_flip_averaging_makes_time_reversal_exact_and_leaves_frequency_alone() -> None:
    predictor = Predictor(Tiny(), engine="eager", flip=True)
    batch = images(2)
    assert np.array_equal(predictor(batch[:, :, ::-1]), predictor(batch)[:, :, ::-1])
    assert not np.array_equal(predictor(batch[:, ::-1]), predictor(batch)[:, ::-1])
    plain = Predictor(Tiny(), engine="eager")
    mean = (plain(batch).astype(float) + plain(batch[:, :, ::-1])[:, :, ::-1]) / 2
    assert np.abs(predictor(batch) - mean).max() <= 1


def test_temperature_divides_the_logits() -> None:
    model, batch = Tiny(), images(1)
    cold = Predictor(model, engine="eager", temperature=2.0)(batch)
    p = expected(model, batch).astype(np.float64)
    wanted = 255 / (1 + np.exp(-np.log(p / (1 - p)) / 2))
    assert np.abs(cold - wanted).max() <= 0.5 + 0.05
    grey = np.array([[[200, 3]]], dtype=np.uint8)
    assert Predictor(Threshold(), temperature=2.0)(grey).tolist() == [[[170, 64]]]  # 2/3 and 1/4


def test_the_temperature_is_that_of_the_average_of_both_directions() -> None:
    model, batch = Tiny(), images(1)
    both = expected(model, batch), expected(model, batch[:, :, ::-1])[:, :, ::-1]
    p = (both[0].astype(np.float64) + both[1]) / 2
    wanted = 255 / (1 + np.exp(-np.log(p / (1 - p)) / 3))
    answers = Predictor(model, engine="eager", flip=True, temperature=3.0)(batch)
    assert np.abs(answers - wanted).max() <= 0.5 + 0.05


def test_a_method_without_learning() -> None:
    predictor = Predictor(Threshold(), batch=2, flip=True)
    grey = np.array([[[200, 3, 128]]] * 3, dtype=np.uint8)
    assert predictor(grey).tolist() == [[[204, 26, 204]]] * 3
    assert predictor.engine == "none"


def test_a_stream_keeps_order_and_breaks_batches_where_the_size_changes() -> None:
    model = Tiny()
    predictor = Predictor(model, engine="eager", batch=2)
    supply = [(name, images(1, size, seed)[0]) for seed, (name, size) in enumerate(
        [("a", SIZE), ("b", SIZE), ("c", SIZE), ("d", (32, 32)), ("e", SIZE)]
    )]  # fmt: skip
    answers = list(predictor.stream(iter(supply)))
    assert [name for name, _ in answers] == ["a", "b", "c", "d", "e"]
    for (_, image), (_, answer) in zip(supply, answers, strict=True):
        assert np.array_equal(answer, predictor(image[None])[0])


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
@pytest.mark.parametrize("channels", [1, 3])
def test_exported_engines_answer_as_eager(engine: str, channels: int) -> None:
    if missing_packages(engine):
        pytest.skip(f"{engine} is not installed")
    model, batch = Tiny(in_channels=channels), images(5)
    one = Predictor(model, engine=engine, batch=3)(batch).astype(int)
    other = Predictor(model, engine="eager", batch=3)(batch)
    assert np.abs(one - other).max() <= 1
    assert (one != other).mean() < 0.01


def test_an_exported_model_is_kept_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = next((one for one in ("openvino", "onnx") if not missing_packages(one)), None)
    if engine is None:
        pytest.skip("no engine that exports is installed")
    options: dict[str, Any] = {"engine": engine, "exports": tmp_path, "digest": "a" * 64}
    first = Predictor(Tiny(), **options)(images(2))
    names = {path.name for path in tmp_path.iterdir()}
    assert all(name.lstrip(".").startswith("a" * 16 + "-32x48-") for name in names)

    def refuse(*arguments: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(engines, "_export", refuse)
    assert np.array_equal(Predictor(Tiny(), **options)(images(2)), first)
    with pytest.raises(EngineError, match="exported again"):
        Predictor(Tiny(), engine=engine, exports=tmp_path, digest="b" * 64)(images(2))


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_an_export_that_is_damaged_or_of_another_model_is_made_anew(
    engine: str, tmp_path: Path
) -> None:
    if missing_packages(engine):
        pytest.skip(f"{engine} is not installed")
    options: dict[str, Any] = {"engine": engine, "exports": tmp_path, "digest": "a" * 64}
    wanted = Predictor(Tiny(), **options)(images(2))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert np.array_equal(Predictor(Tiny(), **options)(images(2)), wanted)
    other = Tiny()
    with torch.no_grad():
        other.net[3].bias.add_(torch.tensor([0.0, 3.0]))
    levels = Predictor(other, engine="eager")(images(2)).astype(int)
    assert np.abs(Predictor(other, **options)(images(2)) - levels).max() <= 1


def test_a_model_that_gives_no_numbers_sees_no_clear_sky() -> None:
    model = Tiny()
    with torch.no_grad():
        model.net[3].bias[0] = float("nan")
    with pytest.raises(OdmError, match="not numbers"):
        Predictor(model, engine="eager")(images(1))


def test_auto_in_bfloat16_on_a_cpu_is_eager() -> None:
    assert Predictor(Tiny(), precision="bfloat16", device="cpu").engine == "eager"


def test_a_compiler_that_fails_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> object:
        def fail(x: Tensor) -> Tensor:
            raise RuntimeError("no compiler here")

        return fail

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(EngineError, match="no compiler here"):
        Predictor(Tiny(), engine="compile", device="cpu")(images(1))


def test_an_engine_that_answers_differently_is_refused_and_auto_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "missing_packages", lambda engine: ())
    monkeypatch.setattr(engines, "_export", lambda *arguments: None)

    def wrong(*arguments: object) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.zeros(len(x), 2, *x.shape[2:])

    for name in ("_Onnx", "_OpenVino"):
        monkeypatch.setattr(engines, name, wrong)
    model, batch = Tiny(), images(1)
    with pytest.raises(EngineError, match="'openvino' answers differently"):
        Predictor(model, engine="openvino", device="cpu")(batch)
    with caplog.at_level(logging.WARNING):
        predictor = Predictor(model, engine="auto", device="cpu")
        answers = predictor(batch)
    assert predictor.engine == "eager"
    assert "taking engine eager" in caplog.text
    assert np.array_equal(answers, Predictor(model, engine="eager")(batch))


def test_a_model_that_cannot_be_exported_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("first line\nand forty more")

    monkeypatch.setattr(engines, "missing_packages", lambda engine: ())
    monkeypatch.setattr(engines, "_export", fail)
    with pytest.raises(EngineError) as caught:
        Predictor(Tiny(), engine="onnx", device="cpu")(images(1))
    assert str(caught.value) == ("engine 'onnx' cannot run tiny (first line): use engine 'eager'")


def test_auto_takes_the_fastest_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    absent: set[str] = set()
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name in absent else object())
    assert choose_engine("auto", CPU) == "openvino"
    absent.add("openvino")
    assert choose_engine("auto", CPU) == "onnx"
    with pytest.raises(InputError, match=r"needs openvino.*odm\[openvino\]"):
        choose_engine("openvino", CPU)
    absent.update(("onnxscript", "onnxruntime"))
    assert choose_engine("auto", CPU) == "eager"
    with pytest.raises(InputError, match="onnxscript and onnxruntime"):
        choose_engine("onnx", CPU)
    assert choose_engine("auto", torch.device("cuda")) == "compile"
    absent.clear()
    with pytest.raises(InputError, match="CPUs only"):
        choose_engine("openvino", torch.device("cuda"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "tensorrt"}, "auto, eager"),
        ({"device": "toaster"}, "toaster"),
        ({"batch": 0}, "at least 1"),
        ({"temperature": 0.0}, "above 0"),
        ({"precision": "int8"}, "float32 or bfloat16"),
    ],
)
def test_settings_that_cannot_be_meant(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Predictor(Tiny(), **options)


def test_images_that_do_not_fit() -> None:
    predictor = Predictor(Tiny(), engine="eager")
    with pytest.raises(InputError, match="divisible by 8"):
        predictor(images(1, (30, 48)))
    with pytest.raises(InputError, match="uint8"):
        predictor(images(1).astype(np.float32))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="uint8"):
        predictor(images(1)[0])


def test_no_gpu_is_one_sentence() -> None:
    assert find_device("cpu") == CPU
    with pytest.raises(InputError, match="GPUs here"):
        find_device(f"cuda:{torch.cuda.device_count()}")


def test_devices_that_cannot_be_used_are_one_sentence() -> None:
    unusable = ["meta", *([] if torch.backends.mps.is_available() else ["mps"])]
    for device in unusable:
        with pytest.raises(InputError, match=rf"device '{device}' cannot be used here") as caught:
            Predictor(Tiny(), device=device)
        assert "\n" not in str(caught.value)


def test_more_sizes_than_the_compiler_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = torch.compile
    programs: list[Any] = []

    def traced(graph: Any, inputs: Any) -> Any:
        programs.append(graph)
        return graph.forward

    # Tracing is what has a limit: this backend generates no code.
    monkeypatch.setattr(
        torch, "compile", lambda model, **options: compiler(model, backend=traced, **options)
    )
    model = Tiny()
    sizes = [(32 + 8 * k, 48) for k in range(5)]
    predictor = Predictor(model, engine="compile", device="cpu")
    # Not by monkeypatch, which would take the setting away when it ends.
    with torch._dynamo.config.patch(recompile_limit=3):
        for size in sizes:
            predictor(images(2, size))
    assert len(programs) == len(sizes)
    for size in sizes:  # and all are kept
        batch = images(2, size)
        wanted = Predictor(model, engine="eager", device="cpu")(batch).astype(int)
        assert np.abs(predictor(batch) - wanted).max() <= 1
    assert len(programs) == len(sizes)
    assert predictor.engine == "compile"


def test_an_extra_names_what_its_engine_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for engine in ("onnx", "openvino"):
        named = {re.split("[<>=]", one)[0] for one in extras[engine]}
        monkeypatch.setattr(engines, "find_spec", lambda name: None)
        assert set(missing_packages(engine)) == named
    monkeypatch.undo()
    if missing_packages("openvino"):
        pytest.skip("openvino is not installed")
    for name in ("onnx", "onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    assert Predictor(Tiny(), engine="openvino", device="cpu")(images(1)).shape == (1, *SIZE)


@pytest.mark.slow
def test_dynamic_convolutions_run_in_openvino() -> None:
    if missing_packages("openvino"):
        pytest.skip("openvino is not installed")
    from odm.models.networks.odconv import odconv_layers
    from odm.models.networks.segmenters import create_model

    model = create_model("odm_unet_small")
    before = [layer.execution for layer in odconv_layers(model)]
    batch = images(3, (64, 96))
    one = Predictor(model, engine="openvino", device="cpu")(batch).astype(int)
    assert [layer.execution for layer in odconv_layers(model)] == before
    assert np.abs(one - Predictor(model, engine="eager", device="cpu")(batch)).max() <= 1


@pytest.mark.slow
def test_compile_answers_as_eager() -> None:
    model, batch = Tiny(), images(3)
    one = Predictor(model, engine="compile", device="cpu")(batch).astype(int)
    assert np.abs(one - Predictor(model, engine="eager", device="cpu")(batch)).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "levels"), [("float32", 1), ("bfloat16", 8)])
def test_a_gpu_answers_as_the_cpu(precision: Any, levels: int) -> None:
    model, batch = Tiny(), images(3)
    reference = Predictor(model, engine="eager", device="cpu")(batch)
    answers = Predictor(model, engine="compile", device="cuda", precision=precision)(batch)
    assert np.abs(answers.astype(int) - reference).max() <= levels


def test_the_example_has_all_kinds_of_structure() -> None:
    model = Tiny()
    x = engines.example_input(model, 2, SIZE)
    assert x.shape == (2, 3, *SIZE)
    empty = to_input(torch.zeros(1, 1, 1, 1, dtype=torch.uint8), model)[0, 0, 0, 0]
    assert (x[..., SIZE[1] // 3] == empty).all()
    assert x.std() > 0.5
