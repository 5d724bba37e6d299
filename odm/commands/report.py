"""`odm report`: what a campaign says, as numbers, figures and a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.options import ArchiveNow, CampaignFolder

if TYPE_CHECKING:
    from odm.catalog.activity import Index


def report(
    campaign: CampaignFolder,
    out: Annotated[str, typer.Option(help="Folder to write into.")],
    against: Annotated[
        str | None, typer.Option(help="Another campaign, to compare this one with.")
    ] = None,
    kp: Annotated[
        str | None, typer.Option(help="Kp over time: CSV (time,kp) or a text file of GFZ.")
    ] = None,
    dst: Annotated[str | None, typer.Option(help="Dst over time: CSV (time,dst).")] = None,
    archive: ArchiveNow = None,
    pictures: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Findings with a picture [default: all]: 500 inside the page, more in a folder "
            "beside it; 0 for none.",
        ),
    ] = None,
    queue: Annotated[
        int, typer.Option(min=1, help="Inputs of each kind in the review queue.")
    ] = 15,
    seed: Annotated[int, typer.Option(help="Seed of the random samples in the queue.")] = 0,
    remark: Annotated[
        str, typer.Option(help="A sentence for the page and under every figure.")
    ] = "",
    resamples: Annotated[
        int, typer.Option(help="Bootstrap resamples for intervals; 0 for none.", min=0)
    ] = 1000,
    json_: Annotated[bool, typer.Option("--json", help="The statistics, for a script.")] = False,
) -> None:
    """Write statistics, figures and a page to look at findings and to review them.

    OUT/index.html opens from the file, offline.

    Example: odm report campaign --out report --kp kp.csv
    """
    from odm.catalog.campaign import load_campaign
    from odm.core.kinds import KINDS
    from odm.report import ReportOptions, to_json, write_report

    opened = load_campaign(campaign)
    compared = None if against is None else load_campaign(against)
    indices, digests = _indices({"kp": kp, "dst": dst})
    options = ReportOptions(
        indices=indices,
        context=digests,
        resamples=resamples,
        pictures=pictures,
        archive=archive,
        queue_size=queue,
        seed=seed,
        remark=remark,
    )
    written = write_report(opened, out, compared, options)
    for note in written.notes:
        typer.echo(f"note: {note}", err=True)
    if json_:
        print(to_json(written.sheet), end="")
        return
    print(f"{out}: {written.summary}; {len(written.files)} files")
    if compared is not None:
        both = written.sheet["comparison"][KINDS.find(opened.card.kind).findings]
        print(
            f"against {against}: {both['both']} in both, {both['only_a']} only here, "
            f"{both['only_b']} only there; agreement {both['agreement']:.3f}"
        )
    print(f"open {out}/index.html")


def _indices(paths: dict[str, str | None]) -> tuple[list[Index], dict[str, str]]:
    """Return indices of activity, and the digests of their files."""
    import hashlib

    from odm.catalog.activity import read_index
    from odm.core.files import read_bytes

    given = {name: path for name, path in paths.items() if path is not None}
    indices = [read_index(path, name) for name, path in given.items()]
    digests = {name: hashlib.sha256(read_bytes(path)).hexdigest() for name, path in given.items()}
    return indices, digests
