"""Hours of a campaign from rates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odm.catalog.outcomes import Input
from odm.core.errors import InputError
from odm.reprocess.request import Workers
from odm.reprocess.stages import InputResult
from ray_jobs.cluster.room import Cluster
from ray_jobs.commands.estimate import app
from ray_jobs.reprocessing.calibrate import calibrate, read_some, shared_out
from ray_jobs.reprocessing.estimate import ClusterSize, Rates, estimate
from tests.reprocess import small

GPU = Rates(
    read_s=0.02, finish_s=0.03, model_s=0.005, gpu="a GPU", input_bytes=1e6, driver_s=0.001,
    start_s=36,
)  # fmt: skip
CORES = GPU.model_copy(update={"gpu": "", "model_s": 0.15})


def test_what_holds_it_up() -> None:
    few = estimate(GPU, 10_800, ClusterSize(cpus=20, gpus=4, nodes=5, price=10.0))
    # Four CPUs feed the GPUs, 16 read and finish 320 a second; 4 GPUs would do 800.
    assert few.bottleneck == "CPUs" and few.rate == pytest.approx(320)
    assert few.hours == pytest.approx((36 + 33.75) / 3600)
    assert few.node_hours == pytest.approx(5 * few.hours) and few.cost == pytest.approx(
        10 * few.hours
    )
    assert few.cpus_per_gpu == pytest.approx(11) and "take 44 CPUs, and there are 20" in few.advice
    # As many as it takes are just enough, whichever way it is computed.
    enough = estimate(GPU, 10_800, ClusterSize(cpus=44, gpus=4))
    assert enough.limits["CPUs"] == pytest.approx(enough.limits["GPUs"])
    tight = estimate(GPU, 10_800, ClusterSize(cpus=6, gpus=4))
    assert tight.rate == pytest.approx(3 / 0.05)  # the GPUs' processes share the other three
    many = estimate(GPU, 10_800, ClusterSize(cpus=64, gpus=4))
    assert many.bottleneck == "GPUs" and "the other 20 wait" in many.advice and many.cost is None
    most = estimate(GPU, 10_800, ClusterSize(cpus=4000, gpus=400))
    assert most.bottleneck == "driver" and most.rate == pytest.approx(1000)
    slow = GPU.model_copy(update={"storage_bytes_per_s": 50e6})
    assert estimate(slow, 10_800, ClusterSize(cpus=64, gpus=4)).bottleneck == "storage"
    cores = estimate(CORES, 1000, ClusterSize(cpus=16))
    assert cores.rate == pytest.approx(16 / 0.2) and cores.cpus_per_gpu is None


@pytest.mark.parametrize(
    ("rates", "inputs", "size", "sentence"),
    [
        (GPU, 10, {"cpus": 8}, "of the model on a GPU, and the cluster has no GPUs"),
        (CORES, 10, {"cpus": 8, "gpus": 1}, "of the model on cores, and the cluster has 1 GPU:"),
        (GPU, 0, {"cpus": 8, "gpus": 1}, "--inputs 0"),
        (GPU, 10, {"cpus": 0}, "--cpus 0"),
        (GPU, 10, {"cpus": 1, "gpus": 1, "price": float("nan")}, "--price nan"),
    ],
)
def test_what_cannot_be(rates: Rates, inputs: int, size: dict[str, int], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        estimate(rates, inputs, ClusterSize(**size))


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text(GPU.model_dump_json())
    words = ["--rates", str(path), "--inputs", "10800", "--cpus", "20", "--gpus", "4"]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 0, said.output
    assert (
        "10800 inputs: 70 s at 320.0/s" in said.stdout and "11.0 CPUs for each GPU" in said.stdout
    )
    as_json = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert as_json["bottleneck"] == "CPUs" and as_json["rates"]["gpu"] == "a GPU"
    path.write_text(GPU.model_dump_json().replace("driver_s", "drivers"))
    for wrong, sentence in (
        (["--rates", str(tmp_path / "none.json")], "--calibrate ARCHIVE measures rates"),
        (words, "driver"),
        (["--rates", str(path), "--calibrate", str(tmp_path), "--samples", "0"], "--samples 0"),
    ):
        result = CliRunner().invoke(app, wrong)
        assert isinstance(result.exception, InputError) and sentence in str(result.exception)


def test_no_reader_is_timed_on_what_it_has_just_read(tmp_path: Path) -> None:
    small.write_archive(tmp_path / "archive", 6)
    small.write_model(tmp_path / "model")
    inputs = small.order(tmp_path).listing.inputs
    assert len(inputs) == 6
    for number, readers, sizes in ((6, 64, [2, 2, 2]), (2, 2, [2, 2]), (6, 1, [6]), (1, 1, [2])):
        parts = shared_out(inputs, number, readers)
        assert [len(part) for part in parts] == sizes
        names = [one.name for part in parts for one in part]
        assert len(set(names)) == len(names)
    assert shared_out(inputs[:1], 32, 8) == [[inputs[0]]]

    read: list[str] = []

    class Stages:
        def read(self, one: Input) -> InputResult:
            read.append(one.name)
            return InputResult(one, undone="not really")

    found = read_some(Stages(), inputs[:3])  # type: ignore[arg-type]
    assert len(read) == len(set(read)) == 3 and len(found.result) == 2


def test_rates_are_measured_on_a_cluster(
    tmp_path: Path, cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    small.write_archive(tmp_path / "archive", 6, bad=True)
    small.write_model(tmp_path / "model")
    order = small.order(tmp_path)
    rates, facts = calibrate(order.stages, order.inference, order.listing.inputs, Workers(), 12)
    assert facts == {"cpus": 2, "gpus": 0, "nodes": 1}
    assert not rates.gpu and 0 < rates.read_s < 5
    # Three tasks of Ray Data, some milliseconds each, go for at most 16 inputs.
    assert 3 * 0.0005 / 16 < rates.driver_s < 1
    # At least the Z spectra of a file are read: rows of 1024 numbers of 8 bytes.
    assert rates.input_bytes > 0.5 * small.ROWS * 1024 * 8 / 2
    assert estimate(rates, 1000, ClusterSize(cpus=2)).hours > 0
    said = capfd.readouterr().err
    assert "MapWorker" not in said and "execution finished" not in said and "WARNING" not in said
