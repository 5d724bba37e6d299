"""What the registry promises of every kind of input, and a kind that only these tests know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import odm.core.kinds
from odm.catalog.campaign import load_campaign
from odm.catalog.catalog import build_catalog
from odm.catalog.compare import compare
from odm.catalog.kinds import kind_of, list_inputs
from odm.core.errors import InputError
from odm.core.kinds import KINDS, TASKS, Kind
from odm.core.settings import Options
from odm.reprocess.driver import Summary, reprocess
from odm.reprocess.order import Order, open_order
from odm.reprocess.request import ModelOptions, ReprocessRequest
from odm.reprocess.runners.local import run_local
from odm.reprocess.stages import Draft
from tests.reprocess import small, small_ionograms
from tests.test_cli import run
from tests.toy_kind import TOY

CAMPAIGN_ROLES = {"outcome", "list", "describe", "picture", "options", "prepare"}
ROLES_OF_SOME = {"mask thresholds", "drawn"}


@pytest.fixture
def toys() -> Iterator[Kind]:
    """The registry with one more kind."""
    with KINDS.added(TOY) as kind:
        yield kind


def write_archive(kind: str, folder: Path) -> dict[str, object]:
    """A small archive of a kind, with one bad file or more, and the model options for it."""
    if kind == "orbits":
        small.write_archive(folder / "archive", 2, bad=True)
        return {"folder": small.write_model(folder / "model"), "device": "cpu", "engine": "eager"}
    if kind == "ionograms":
        small_ionograms.write_archive(folder / "archive", 4)
        model = small_ionograms.write_model(folder / "model", folder / "archive")
        return {"folder": model, "device": "cpu", "engine": "eager"}
    (folder / "archive").mkdir(parents=True)
    for name, text in (("a1", "1 2 200"), ("a2", "1 2 3"), ("b1", "9 255 7"), ("bad", "one two")):
        (folder / "archive" / f"{name}.txt").write_text(text)
    return {}


def order(kind: str, folder: Path, model: dict[str, object], campaign: str = "campaign") -> Order:
    """An order over the archive in a folder."""
    request = ReprocessRequest(
        kind=kind,
        archive=str(folder / "archive"),
        campaign=str(folder / campaign),
        model=ModelOptions(**model),
    )
    return open_order(request)


def test_every_entry_has_every_role_and_each_can_be_loaded() -> None:
    roles = {role for kind in KINDS for role in kind.parts} - ROLES_OF_SOME
    assert roles >= CAMPAIGN_ROLES
    documented = {line.split("  ")[0] for line in (odm.core.kinds.__doc__ or "").splitlines()}
    assert documented >= roles | ROLES_OF_SOME
    for kind in KINDS:
        assert set(kind.parts) >= roles, kind.name
        assert kind.input and kind.inputs and kind.findings
    for entry in (*KINDS, *TASKS):
        for role in entry.parts:
            assert entry.load(role) is not None
    tasks = [set(task.parts) for task in TASKS]
    assert all(parts == tasks[0] for parts in tasks)


def test_an_unknown_kind_or_role_is_one_sentence() -> None:
    with pytest.raises(InputError, match="unknown kind of input 'toys': this version of odm knows"):
        kind_of("toys")
    with pytest.raises(InputError, match="orbits have no smell"):
        KINDS.find("orbits").load("smell")


@pytest.mark.parametrize("name", ["orbits", "ionograms", "toys"])
def test_a_kind_goes_from_its_archive_to_its_catalog(
    name: str, toys: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry, schema = KINDS.find(name), kind_of(name)
    model = write_archive(name, tmp_path)
    assert (schema.name, schema.inputs, schema.findings) == (name, entry.inputs, entry.findings)
    assert issubclass(entry.load("options"), Options)
    for column in (*schema.schema, *schema.finding):
        assert column.metadata[b"units"] and column.metadata[b"description"], column.name

    listing = list_inputs(name, str(tmp_path / "archive"))
    assert len(listing.inputs) == len(listing.times) > 0
    ready = order(name, tmp_path, model)
    answers = [ready.stages.read(input) for input in listing.inputs]
    drafts = [answer for answer in answers if isinstance(answer, Draft)]
    assert drafts and len(drafts) < len(answers)
    assert len({draft.image.shape for draft in drafts if draft.image is not None}) == 1

    summary = reprocess(ready, run_local)
    assert summary.done == len(listing.inputs)
    assert summary.counts["quarantined"] == len(answers) - len(drafts)
    assert summary.counts["detected"] > 0
    campaign = load_campaign(tmp_path / "campaign")
    outcomes = campaign.outcomes()
    assert outcomes.schema.equals(schema.schema)
    table = build_catalog([campaign], schema)
    found = [row for outcome in outcomes["findings"].to_pylist() for row in outcome]
    assert table.num_rows == len(found) and table.column_names == schema.finding.names
    assert compare(campaign, campaign).equal
    assert entry.load("describe")(found[0])

    facts = json.loads(run(capsys, "status", tmp_path / "campaign", "--json")[1])
    assert facts["pending"] == 0 and len(facts["reasons"]) == summary.counts["quarantined"]
    pictures = tmp_path / "pictures"
    command = ("catalog", tmp_path / "campaign", "--out", tmp_path / "catalog.csv")
    code, out, _ = run(capsys, *command, "--pictures", pictures, "--number", 1)
    assert code == 0 and f"{table.num_rows} {entry.findings} from {summary.done}" in out
    assert len(list(pictures.iterdir())) == 1


def test_campaigns_of_a_toy_kind_are_resumed_and_compared(
    toys: Kind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive("toys", tmp_path)

    def toy_run(campaign: str, threshold: int) -> Summary:
        request = ReprocessRequest(
            kind="toys",
            archive=str(tmp_path / "archive"),
            campaign=str(tmp_path / campaign),
            findings={"threshold": threshold},  # type: ignore[arg-type]
        )
        return reprocess(open_order(request), run_local)

    assert toy_run("low", 100).counts == {"detected": 2, "clear": 1, "quarantined": 1}
    assert toy_run("low", 100).done == 0
    with pytest.raises(InputError, match=r"settings\.threshold is 100 there and 250 here"):
        toy_run("low", 250)
    toy_run("high", 250)
    code, out, _ = run(capsys, "diff", tmp_path / "low", tmp_path / "high")
    assert code == 0 and "settings.threshold is 100 in a and 250 in b" in out
    assert "only in a: a1_2, 200 high" in out
    status = run(capsys, "status", tmp_path / "low")[1]
    assert "number files of" in status and "holds something that is no number" in status
