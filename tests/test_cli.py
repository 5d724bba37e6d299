"""The command line as a user meets it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import cv2
import pytest

import odm.cli
from tests.lookalike import NAME, contents, renamed, write


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command run in this process."""
    old, sys.argv = sys.argv, ["odm", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as caught:
            odm.cli.main()
    finally:
        sys.argv = old
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: object, says: str) -> None:
    """The command ends with ``code`` and one sentence that has ``says`` in it."""
    got, _, err = run(capsys, *arguments)
    assert got == code
    assert says in err
    assert "Traceback" not in err
    sentences = [line for line in err.splitlines() if line.startswith("odm: ")]
    assert len(sentences) == 1


def test_help_answers_in_under_a_second() -> None:
    # Seconds of processor, not of the clock: other tests run beside this one.
    command = [sys.executable, "-m", "odm.cli", "--help"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    assert all(name in text for name in ("simulate", "inspect", "label", "dataset"))


def test_the_lower_floors_load_neither_torch_nor_ray() -> None:
    code = (
        "import sys, odm, odm.archive, odm.images, odm.simulate, odm.catalog, pkgutil, importlib\n"
        "for room in (odm.archive, odm.images, odm.simulate, odm.catalog):\n"
        "    for module in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "import odm.cli\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} "
        "& {'torch', 'torchvision', 'ray', 'albumentations', 'matplotlib'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_inspect_says_what_a_file_is_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = contents()
    data["A133_P"][:6] = -9999
    data["WORKMODE"][:9] = 2
    path = write(tmp_path, data)
    picture = tmp_path / "picture.png"
    code, out, _ = run(capsys, "inspect", path, "--picture", picture, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["key"] == NAME
    assert facts["rows"] == 60
    assert facts["valid_share"] == 0.9
    assert facts["mode"] == "survey with 9 burst rows"
    assert facts["start"] == "2021-04-01T01:22:03.250"
    image = cv2.imread(str(picture))
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    code, out, _ = run(capsys, "inspect", path, "--no-picture")
    assert code == 0
    assert NAME in out
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".png"] == ["picture.png"]


def test_inspect_gives_the_reason_for_a_bad_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, contents())
    path.write_bytes(path.read_bytes()[:500_000])
    fails(capsys, 1, "inspect", path, says="truncated: the file needs 1.5 MB")
    fails(capsys, 1, "inspect", tmp_path / "none.h5", says="no such file")
    fails(capsys, 2, "inspect", path, "--component", "q", says="x, y and z")
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def test_wrong_use_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    out = tmp_path / "out"
    simulate = ("simulate", "orbits", out, "--half-orbits")
    fails(capsys, 2, *simulate, 2, "--start", "2021-04-31", says="no date")
    fails(capsys, 2, *simulate, 0, says="half_orbits")
    fails(capsys, 2, *simulate, 2, "--prevalence", 1.5, says="prevalence")
    fails(capsys, 2, *simulate, 2, "--sky", "emision", says="emissions")
    fails(
        capsys, 2, "simulate", "orbits", tmp_path / "file" / "x", "--half-orbits", 1, says="the way"
    )
    fails(capsys, 2, "label", "export", tmp_path / "empty", out, says="no EFD_3 half-orbit")
    fails(capsys, 2, "label", "export", "nowhere://x", out, says="cannot be resolved")
    fails(capsys, 2, "dataset", "create", tmp_path / "none", "--annotations", tmp_path, says="none")
    assert not out.exists()
    assert run(capsys, "inspect")[0] == 2
    assert run(capsys, "no-such-command")[0] == 2


def test_a_new_picture_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, contents())
    (tmp_path / "file").write_text("x")
    fails(capsys, 2, "inspect", path, "--picture", tmp_path / "file" / "p.png", says="in the way")


def test_commands_of_other_packages_are_found_and_imported_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "guest_commands.py").write_text(
        "import typer\napp = typer.Typer()\n\n"
        "@app.command()\ndef greet(name: str) -> None:\n"
        '    """Say hello."""\n    print("hello", name)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("greet", "guest_commands:app", odm.cli.ENTRY_POINTS),
        EntryPoint("broken", "no_such_package.cli:app", odm.cli.ENTRY_POINTS),
    ]
    monkeypatch.setattr(odm.cli, "entry_points", lambda group: points)
    assert run(capsys, "--version")[0] == 0
    assert "guest_commands" not in sys.modules
    assert run(capsys, "greet", "there") == (0, "hello there\n", "")
    fails(capsys, 2, "broken", says="no_such_package")
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "Say hello." in out
    assert "needs no_such_package" in out


def test_the_archive_report_names_what_was_passed_over(tmp_path: Path) -> None:
    from odm.archive.orbit.listing import list_orbits

    write(tmp_path, contents(rows=2))
    write(tmp_path, contents(rows=2), name=renamed(17538, suffix="001"))
    text = list_orbits(tmp_path).report()
    assert "1 half-orbit" in text
    assert f"such as {NAME} by {renamed(17538, suffix='001')}" in text
