from pathlib import Path

import numpy as np
import pytest
import torch

from odm.core.errors import InputError, OdmError
from odm.models.boxes import ANY_SCORE, BoxSettings, pick_boxes
from odm.models.engines import build_engine, missing_packages
from odm.models.folder import load_model, read_model_card, save_model
from odm.models.networks.base import to_input
from odm.models.networks.detector import LOSSES, Detector, available_detectors, create_detector
from odm.scoring.ionogram.boxes import ScoredIonogram

SIZE = (64, 96)


def images(number: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 255, (number, 1, *SIZE), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def model() -> Detector:
    torch.manual_seed(0)
    detector = create_detector("yolox_nano")
    with torch.no_grad():
        for _ in range(30):  # statistics that fit; the momentum is 0.03
            detector.train()(to_input(images(), detector), torch.zeros(2, 1, 5))
        for layer in detector.head.obj_preds:
            layer.bias.fill_(1.0)  # scores that differ by more than rounding
    return detector.eval()


@pytest.mark.parametrize(
    ("name", "parameters"), [("yolox_nano", 896_949), ("yolox_tiny", 5_033_157)]
)
def test_sizes(name: str, parameters: int) -> None:
    assert sum(p.numel() for p in create_detector(name).parameters()) == parameters
    assert available_detectors() == ("yolox_nano", "yolox_tiny", "yolox_s")


def test_one_channel_and_other_classes() -> None:
    detector = create_detector("yolox_nano", in_channels=1, classes=("E", "F1", "F2")).eval()
    with torch.inference_mode():
        output = detector(to_input(images(), detector))
    places = sum(SIZE[0] * SIZE[1] // stride**2 for stride in (8, 16, 32))
    assert output.shape == (2, places, 8)
    assert detector.options == {"classes": ["E", "F1", "F2"], "in_channels": 1}


def test_bad_options_are_a_sentence() -> None:
    with pytest.raises(InputError, match="did you mean yolox_nano"):
        create_detector("yolox_nan")
    with pytest.raises(InputError, match="did you mean classes"):
        create_detector("yolox_nano", clases=("a",))
    with pytest.raises(InputError, match="a name of its own"):
        create_detector("yolox_nano", classes=("F", "F"))
    with pytest.raises(InputError, match="pad the image to 64 x 96"):
        create_detector("yolox_nano")(torch.zeros(1, 3, 60, 96))


def test_the_loss_and_its_parts(model: Detector) -> None:
    x = to_input(images(), model)
    targets = torch.zeros(2, 2, 5)
    targets[0, 0] = torch.tensor([1, 40.0, 30.0, 30.0, 20.0])
    with torch.no_grad():
        values = model(x, targets)
        assert set(values) == {"loss", *LOSSES, "places"}
        parts = sum(float(values[name]) for name in LOSSES)
        assert float(values["loss"]) == pytest.approx(parts, rel=1e-5)
        assert values["places"] >= 1 and values["l1"] == 0
        # In evaluation mode all the same, and the mode is left as it is.
        assert not model.training and not model.head.training
        assert model(x).ndim == 3
        model.head.use_l1 = True
        assert model(x, targets)["l1"] > 0
    model.head.use_l1 = False


def test_boxes_are_exact_in_bfloat16_too(model: Detector) -> None:
    x = to_input(images(), model)
    with torch.inference_mode():
        full = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = model(x)
    assert half.dtype == torch.float32
    # The centre's whole part is added in float32: what is left is the network's own rounding.
    assert (half[..., :2] - full[..., :2]).abs().max() < 2


def test_saved_and_loaded_it_answers_the_same(model: Detector, tmp_path: Path) -> None:
    thresholds = BoxSettings(temperature=1.5).to_dict()
    card = save_model(tmp_path, model, image={"height": 64}, thresholds=thresholds, half=True)
    assert card.weights["bytes"] < 4e6
    assert BoxSettings.from_dict(read_model_card(tmp_path).thresholds).temperature == 1.5
    loaded = load_model(tmp_path).model
    assert loaded.class_names == ("Es", "F")
    x = to_input(images(), model)
    with torch.inference_mode():
        assert (loaded.answer(loaded(x)) - model.answer(model(x))).abs().max() < 0.01


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_engines_answer_as_eager(model: Detector, engine: str) -> None:
    if missing_packages(engine):
        pytest.skip(f"{engine} is not installed")
    run = build_engine(engine, model, 2, SIZE)
    x = to_input(images(), model)
    with torch.inference_mode():
        expected = model(x)
    assert expected[..., 4].max() > 0.3
    assert (run(x) - expected).abs().max() < 1e-2  # pixels


def output(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor([rows])


def test_the_best_of_overlapping_boxes_of_one_class() -> None:
    found = pick_boxes(
        output(
            (20, 20, 20, 20, 0.9, 0.8, 0.1),
            (22, 20, 20, 20, 0.9, 0.9, 0.1),  # the same thing, better
            (21, 20, 20, 20, 0.9, 0.1, 0.7),  # another class
            (90, 60, 20, 20, 0.5, 0.5, 0.0),  # leaves the image; 0.25 is too little
            (90, 60, 30, 30, 0.8, 0.5, 0.0),
        ),
        SIZE,
        BoxSettings(threshold=0.3),
    )[0]
    assert found.scores.tolist() == pytest.approx([0.81, 0.63, 0.4])
    assert found.classes.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.edges[0], [12, 10, 32, 30])
    np.testing.assert_allclose(found.edges[2], [75, 45, 96, 64])
    assert len(found.above(0.5).scores) == 2


@pytest.mark.parametrize("temperature", [0.674, 1.0, 1.9])
def test_scores_tempered_later_are_those_of_a_campaign(temperature: float) -> None:
    places = [(15 + 30 * (n % 3), 15 + 30 * (n // 3), 20, 20) for n in range(6)]
    settings = BoxSettings(threshold=0.7, temperature=temperature)
    scores = np.random.default_rng(0).random((200, 6, 2)) ** 0.25
    rows = [[(*p, *s) for p, s in zip(places, table.tolist(), strict=True)] for table in scores]
    answers = torch.tensor(rows)
    campaign = pick_boxes(answers, (96, 96), settings)
    later = pick_boxes(answers, (96, 96), ANY_SCORE, exact=True)
    for whole, exact in zip(campaign, later, strict=True):
        one = ScoredIonogram("a", np.zeros((0, 5)), *exact).tempered(temperature).above(0.7)
        np.testing.assert_array_equal(one.edges, whole.edges)
        np.testing.assert_array_equal(one.scores, np.round(whole.scores.astype(float), 3))
    assert sum(len(whole.scores) for whole in campaign) > 50


def test_temperature_calibrates_and_only_the_best_are_kept() -> None:
    rows = output((20, 20, 10, 10, 0.8, 1.0), (60, 40, 10, 10, 0.5, 1.0))
    found = pick_boxes(rows, SIZE, BoxSettings(threshold=0.1, temperature=2))[0]
    assert found.scores.tolist() == pytest.approx([0.667, 0.5])
    assert len(pick_boxes(rows, SIZE, BoxSettings(threshold=0.1, most=1))[0].scores) == 1
    assert len(pick_boxes(rows, SIZE, BoxSettings(threshold=0.95))[0].scores) == 0
    with pytest.raises(OdmError, match="not numbers"):
        pick_boxes(rows * float("nan"), SIZE, ANY_SCORE)
    for bad in ({"threshold": 0}, {"temperature": 0}, {"overlap": 2}, {"most": 0}, {"mos": 1}):
        with pytest.raises(InputError):
            BoxSettings.from_dict(bad)
