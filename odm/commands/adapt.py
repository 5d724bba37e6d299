"""`odm adapt`: a detector of nuclei fitted to an archive that nobody has labelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands import runners
from odm.commands.options import AsJson, print_json
from odm.commands.train import Overrides, chosen_runner, model_to_tune
from odm.core.text import table

if TYPE_CHECKING:
    from odm.training.adapting import AdaptSettings, Fitted


def adapt(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits, unlabelled.")],
    overrides: Overrides = None,
    out: Annotated[
        Path, typer.Option(help="Folder that gets the adapted model.", show_default=False)
    ] = ...,  # type: ignore[assignment]  # typer's way to say that it is needed
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder, or name, of the model to begin with [default: the package's].",
            show_default=False,
        ),
    ] = None,
    half_orbits: Annotated[
        int, typer.Option(help="Half-orbits of the archive to use, three tenths held back.", min=20)
    ] = 600,
    rounds: Annotated[
        int,
        typer.Option(
            help="2 adapts again, leaving out what the adapted model finds suspicious.",
            min=1,
            max=4,
        ),
    ] = 1,
    prevalence: Annotated[
        float | None,
        typer.Option(
            help="Share of the half-orbits that hold a nucleus [default: the paper's 0.036].",
            min=0,
            max=1,
            show_default=False,
        ),
    ] = None,
    false_per_100: Annotated[
        float,
        typer.Option(help="Regions per 100 half-orbits, beyond that, which thresholds allow."),
    ] = 2.0,
    seed: Annotated[int, typer.Option(help="Of the choice of half-orbits and of plants.")] = 0,
    work: Annotated[
        Path | None,
        typer.Option(
            help="Folder of backgrounds and runs; kept, so that the same command goes on "
            "[default: OUT.work].",
            show_default=False,
        ),
    ] = None,
    local: runners.Local = False,
    workers: runners.Workers = None,
    cpus_per_worker: runners.CpusPerWorker = None,
    gpu: runners.Gpu = None,
    address: runners.Address = None,
    max_failures: runners.MaxFailures = None,
    json_: AsJson = False,
) -> None:
    """Fit a detector of nuclei to an archive that nobody has labelled; again resumes it.

    Half-orbits of the archive become backgrounds of a training, in which nuclei are planted and
    what the first model finds suspicious is ignored. Others are held back, and say what the
    adapted model finds: of nuclei planted in them, and in them as they are.

    Example: odm adapt /data/cses --out models/mine --workers 2
    """
    from odm.core.settings import overridden
    from odm.models.shipped import own_folder, shipped_model
    from odm.training.adapting import AdaptSettings, choose_half_orbits, training_settings

    given = {} if prevalence is None else {"prevalence": prevalence}
    settings = AdaptSettings(
        half_orbits=half_orbits, seed=seed, false_per_100=false_per_100, **given
    )
    target = own_folder(str(out))
    launch = runners.parse_launch(workers, cpus_per_worker, gpu, address, max_failures)
    run = chosen_runner("segmenter", launch, local=local)
    training = overridden(training_settings(), overrides or [])
    chosen = choose_half_orbits(archive, settings.half_orbits, settings.seed)
    _tell(
        f"{len(chosen.train)} half-orbits of {archive} as backgrounds, {len(chosen.held_back)} "
        "held back"
    )
    folder = work or Path(f"{target}.work")
    first = model_to_tune(model or str(shipped_model()), "segmenter") or ""
    for number in range(rounds):
        if rounds > 1:
            _tell(f"round {number + 1} of {rounds}")
        place = target if number == rounds - 1 else str(folder / f"round-{number + 1}")
        before, after = _round(archive, chosen, first, place, settings, training, folder, run)
        first = place
    _show(target, before, after, as_json=json_)


def _round(
    archive: str,
    chosen: Any,
    first: str,
    out: str,
    settings: AdaptSettings,
    training: Any,
    work: Path,
    run: Any,
) -> tuple[dict[str, Any], Fitted]:
    """Adapt the model ``first`` and save the result in ``out``; the sheets before and after."""
    from odm.core.progress import progress
    from odm.training.adapting import (
        LOWS,
        FirstLook,
        count_found,
        data_set,
        fit_thresholds,
        prepare_backgrounds,
        save_adapted,
        sheet_of,
    )
    from odm.training.plans import plan_training

    number = len(chosen.train) + len(chosen.held_back)
    with progress("looking", number, "half-orbits") as advance:
        backgrounds = prepare_backgrounds(chosen, first, settings, work, advance)
    plan = plan_training("segmenter", training, data_set(backgrounds, settings.seed), work, first)
    run(plan)
    trained = str(plan.run.model)
    look = FirstLook(first)
    with progress("measuring", 2 * len(chosen.held_back), "half-orbits") as advance:
        counted = count_found(trained, chosen, first, settings, LOWS, advance)
        (own,) = count_found(first, chosen, first, settings, advance=advance)
    fitted = fit_thresholds(counted, look.regions, settings)
    facts = {
        "archive": archive,
        "half_orbits": len(chosen.train),
        "held_back": len(chosen.held_back),
        "model": look.digest,
        "settings": settings.model_dump(mode="json"),
    }
    save_adapted(trained, out, fitted, look.temperature, facts)
    return sheet_of(own, look.regions.minimum_confidence), fitted


def _tell(line: str) -> None:
    typer.echo(line, err=True)


def _show(out: str, before: dict[str, Any], fitted: Fitted, *, as_json: bool) -> None:
    """Print what the model found before and what the adapted one finds."""
    after = fitted.sheet
    if as_json:
        thresholds = fitted.regions.to_dict()
        print_json({"model": out, "thresholds": thresholds, "before": before, "after": after})
        return
    rows: list[tuple[object, ...]] = [
        (f"{was['from_db']:g}-{was['to_db']:g} dB", was["planted"], was["found"], now["found"])
        for was, now in zip(before["by_contrast"], after["by_contrast"], strict=True)
    ]
    rows.append(("all", before["planted"], before["found"], after["found"]))
    columns = ("contrast", "planted", "found before", "found now")
    print(table(columns, rows, "nuclei planted in half-orbits held back"))
    number = after["untouched_half_orbits"]
    print(
        f"regions in {number} untouched half-orbits: {before['regions_in_untouched']} before, "
        f"{after['regions_in_untouched']} now"
    )
    print(f"{out}: the adapted model; odm reprocess orbits ARCHIVE CAMPAIGN --model {out}")
