"""``cfemu timing``, and the options of ``run`` and ``compare`` that choose how time is modelled."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.suite import GUEST
from emu.cli import execute
from kernel_model.cli import app
from tests.support.command import Outcome

ELF = str(GUEST)
Cfemu = Callable[..., Outcome]


@pytest.fixture
def cfemu(capfdbinary: pytest.CaptureFixture[bytes]) -> Cfemu:
    """The whole command."""

    def run(*arguments: str) -> Outcome:
        capfdbinary.readouterr()
        status = execute(app, arguments)
        output = capfdbinary.readouterr()
        return Outcome(status, output.out, output.err.decode())

    return run


def test_the_list_shows_every_number_with_its_source(cfemu: Cfemu) -> None:
    done = cfemu("timing")
    assert done.status == 0
    for text in ("exception_entry", "MOVEC", "5407UM T2-17", "548xRM 7-16", "indexed"):
        assert text in done.stdout.decode()


def test_what_a_file_changes_is_told(cfemu: Cfemu, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[costs]\nfdiv = 20\n")
    numbers = json.loads(cfemu("timing", str(path), "--json").stdout)["numbers"]
    changed = [n for n in numbers if n["cycles"] != n["default"]]
    assert [(n["name"], n["cycles"], n["default"], n["source"]) for n in changed] == [
        ("fdiv", 20, 23, "set by the user")
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("run", ELF, "--timing", "exact"), "'exact' is not one of"),
        (("run", ELF, "--clock", "sun"), "'sun' is not one of"),
        (("run", ELF, "--costs", "nowhere.toml"), "nowhere.toml: no such file"),
        (("compare", "--costs", "nowhere.toml"), "nowhere.toml: no such file"),
        (("timing", "nowhere.toml"), "nowhere.toml: no such file"),
    ],
)
def test_bad_input_is_one_line(cfemu: Cfemu, arguments: tuple[str, ...], complaint: str) -> None:
    done = cfemu(*arguments)
    assert done.status == 2
    assert complaint in done.stderr
    assert done.stdout == b""
    assert done.stderr.count("\n") == 1


def test_a_run_says_how_its_time_was_modelled(cfemu: Cfemu, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[cells]\nMOVEC = 1000\n")
    plain, changed = (
        json.loads(cfemu("run", ELF, "--max-instructions", "1000", "--json", *more).stdout)
        for more in ((), ("--timing", "full", "--clock", "instructions", "--costs", str(path)))
    )
    assert (plain["timing"], plain["clock"]) == ("flat", "cycles")
    assert (changed["timing"], changed["clock"]) == ("full", "instructions")
    assert changed["counters"]["cycles"] > plain["counters"]["cycles"] + 980
