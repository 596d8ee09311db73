"""SWEEP.toml: the product and what is left out of it; one line that names file and key for what it may not say."""

import itertools
import re
from pathlib import Path

import pytest

from kernel_model.choices import Handler, Mapping
from kernel_model.scenario import ScenarioError, load_scenario
from kernel_model.strategies import STRATEGIES
from kernel_model.sweeps.plan import read_sweep
from kernel_model.sweeps.run import Inputs

ROOT = Path(__file__).resolve().parents[3]


def inputs(tmp_path: Path, text: str) -> list[Inputs]:
    file = tmp_path / "sweep.toml"
    file.write_text(text)
    return [run.inputs for run in read_sweep(file)]


def test_an_empty_file_is_the_default_comparison(tmp_path: Path) -> None:
    found = [(run.strategy, run.mapping) for run in inputs(tmp_path, "")]

    assert found == list(itertools.product(STRATEGIES, Mapping))


def test_the_product_has_the_first_axis_outermost(tmp_path: Path) -> None:
    text = """
        tlb = 16
        [axes]
        seed = { from = 3, to = 4 }
        strategy = ["slab", "grow"]
        kernel.handler = ["linear", "range"]
        mapping = ["acr"]
    """
    found = inputs(tmp_path, text)

    got = [(run.scenario.seed, run.strategy, run.scenario.kernel.handler) for run in found]
    assert got == list(itertools.product((3, 4), ("slab", "grow"), (Handler.LINEAR, Handler.RANGE)))
    assert {run.tlb for run in found} == {16}
    assert {run.mapping for run in found} == {Mapping.ACR}


def test_options_and_any_key_of_a_scenario_are_axes(tmp_path: Path) -> None:
    text = """
        [scenario]
        strategies = ["slab"]
        mappings = ["acr"]
        [[scenario.device]]
        kind = "graphics-64"
        [axes]
        "device[0].kind" = ["graphics-8", "usb"]
        engine = ["public"]
        timing = ["full"]
        clock = ["instructions"]
        tlb = [2, 128]
        workload.run = [["boot"], ["boot", "ping-pong"]]
        bank.allocated_percent = [50, 99.5]
    """
    found = inputs(tmp_path, text)

    assert len(found) == 16
    assert {run.scenario.device[0].kind for run in found} == {"graphics-8", "usb"}
    assert {(run.engine.value, run.timing.value, run.clock.value) for run in found} == {
        ("public", "full", "instructions")
    }
    assert {run.tlb for run in found} == {2, 128}
    assert {tuple(run.scenario.workload.run or ()) for run in found} == {("boot",), ("boot", "ping-pong")}
    assert {run.scenario.bank.allocated_percent for run in found} == {50.0, 99.5}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("{ from = 1, to = 3 }", [1, 2, 3]),
        ("{ from = 0, to = 10, step = 4 }", [0, 4, 8]),
        ("{ from = 3, to = 24, factor = 2 }", [3, 6, 12, 24]),
        ('{ from = "1 MB", to = "2 MB", step = "512 KB" }', [1 << 20, 3 << 19, 2 << 20]),
        ('["1 MB", 0]', ["1 MB", 0]),
    ],
)
def test_ranges_and_lists(tmp_path: Path, values: str, expected: list[int]) -> None:
    found = inputs(tmp_path, f"[axes]\nstrategy = ['slab']\nmapping = ['acr']\nreserve.device = {values}")

    assert [run.scenario.reserve.device for run in found] == expected


def test_excluded_combinations(tmp_path: Path) -> None:
    text = """
        [axes]
        strategy = ["slab", "reserve"]
        reserve.device = { from = "1 MB", to = "4 MB", factor = 2 }
        mapping = ["acr", "paged-8k"]
        [[exclude]]
        strategy = "slab"
        reserve.device = ["2 MB", 4194304]
        [[exclude]]
        mapping = "paged-8k"
        strategy = "slab"
    """
    found = [(run.strategy, run.scenario.reserve.device, run.mapping.value) for run in inputs(tmp_path, text)]

    reserve = [("reserve", size << 20, mapping) for size in (1, 2, 4) for mapping in ("acr", "paged-8k")]
    assert found == [("slab", 1 << 20, "acr"), *reserve]


def test_the_base_is_a_name_a_file_or_a_table(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("seed = 77")

    assert inputs(tmp_path, 'scenario = "small-64mb"')[0].scenario.board == "m5475evb"
    assert inputs(tmp_path, 'scenario = "mine.toml"')[0].scenario.seed == 77
    assert inputs(tmp_path, "[scenario]\nseed = 78")[0].scenario.seed == 78


def test_the_scenario_of_a_run_is_that_run(tmp_path: Path) -> None:
    (run,) = inputs(tmp_path, "[axes]\nstrategy = ['slab']\nmapping = ['acr']")
    default = load_scenario()

    assert (run.scenario.strategies, run.scenario.mappings) == (["slab"], [Mapping.ACR])
    assert run.scenario.device == default.device


def test_numbers_of_the_time_model_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text("[costs]\nline_first = 40\n[cells]\nMOVEC = 12")
    run = inputs(tmp_path, 'costs = "slow.toml"')[0]

    assert run.numbers == {"costs": {"line_first": 40}, "cells": {"MOVEC": 12}}
    assert run.job().options.numbers.changed() == run.numbers


def test_a_run_is_named_by_all_of_its_inputs(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    names = set()
    for change in (
        "",
        "tlb = 16",
        'timing = "full"',
        'engine = "public"',
        'clock = "instructions"',
        "scenario.seed = 2",
    ):
        file.write_text(f"{change}\n[axes]\nstrategy = ['slab', 'reserve']\nmapping = ['acr', 'paged-8k']")
        names |= {run.name for run in read_sweep(file)}

    assert len(names) == 6 * 4
    assert {run.name for run in read_sweep(file)} <= names


def test_a_contradiction_between_values_is_a_run_with_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text("""
        [scenario]
        strategies = ["reserve"]
        mappings = ["unlocked-1m"]
        [[scenario.device]]
        size = 8192
        base = 0x80000000
        [axes]
        board = ["coyotos128", "m5475evb"]
        "device[0].base" = [0x80000000, 0xC0000000]
    """)
    first, second, *others = read_sweep(file)

    assert first.problem is None
    assert "device[0].base" in str(second.problem)
    assert "overlaps RAM" in str(second.problem)
    assert [run.problem for run in others] == [None, None]


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("colour = 1", "colour", "unknown key"),
        ("tlb = 1", "tlb", ">= 2"),
        ("axes = 3", "axes", "object"),
        ("[axes]\ncolour = [1]", "axes.colour", "unknown key"),
        ("[axes]\nkernel.colour = [1]", "axes.kernel.colour", "unknown key"),
        ("[axes]\nseed.low = [1]", "axes.seed.low", "unknown key"),
        ('[axes]\n"device[7].kind" = ["usb"]', "axes.device[7].kind", "no number 7"),
        ('[axes]\n"device[x]" = [1]', "axes.device[x]", "not a key"),
        ("[axes]\nseed = 1", "axes.seed", "list of values"),
        ("[axes]\nseed = []", "axes.seed", "no values"),
        ("[axes]\nseed = [1, 2, 1]", "axes.seed", "1 is there twice"),
        ("[axes]\nreserve.device = ['1 KB', 1024]", "axes.reserve.device", "1024 is there twice"),
        ("[axes]\nseed = ['one']", "axes.seed", "'one': expected `int`"),
        ("[axes]\nseed = [0]", "axes.seed", "must be 1 to"),
        ("[axes]\nseed = { from = 1 }", "axes.seed", "missing required field `to`"),
        ("[axes]\nseed = { from = 1, to = 2, by = 1 }", "axes.seed.by", "unknown key"),
        ("[axes]\nseed = { from = 1, to = 2, step = 0 }", "axes.seed", "rises"),
        ("[axes]\nseed = { from = 0, to = 2, factor = 2 }", "axes.seed", "rises"),
        ("[axes]\nseed = { from = 3, to = 2 }", "axes.seed", "no values"),
        ("[axes]\nseed = { from = '1 light-year', to = 2 }", "axes.seed", "not a size"),
        ("[axes]\nseed = { from = 1, to = 1000000 }", "axes.seed", "more than"),
        ("[axes]\nseed = { from = 1, to = 60000 }", "axes", "more than"),
        ("[axes]\nkernel.handler = ['range', 'guess']", "axes.kernel.handler", "'guess'"),
        ("[axes]\nstrategy = ['hope']", "axes.strategy", "unknown strategy 'hope'"),
        ("[axes]\nmapping = ['segments']", "axes.mapping", "'segments'"),
        ("[axes]\nengine = ['fast']", "axes.engine", "'fast'"),
        ("[axes]\ntlb = [1]", "axes.tlb", ">= 2"),
        ("[axes]\nboard = ['coyotos128', 'amiga']", "axes.board", "unknown board 'amiga'"),
        ("[axes]\nboard = ['amiga']\nseed = [1]", "axes.board", "unknown board 'amiga'"),
        ("[axes]\nreserve.device = ['much']", "axes.reserve.device", "not a size"),
        ("[axes]\nworkload.run = [['boot'], ['nap']]", "axes.workload.run", "unknown workload 'nap'"),
        ("[axes]\nstrategies = [['slab']]", "axes.strategies", "write strategy"),
        ("[axes]\nsummary = ['a', 'b']", "axes.summary", "nothing"),
        ('[axes]\ndevice = [[]]\n"device[0].kind" = ["usb"]', "axes.device[0].kind", "axis device sets this"),
        ("[axes]\nseed = [1]\n[[exclude]]\ntlb = 2", "exclude[0].tlb", "not an axis"),
        ("[axes]\nseed = [1]\n[[exclude]]\nseed = 2", "exclude[0].seed", "2 is no value"),
        ("[axes]\nseed = [1]\n[[exclude]]\nseed = 1", "exclude", "no combination is left"),
        ("[[exclude]]", "exclude[0]", "names no axis"),
        ("scenario = 'nowhere'", "scenario", "no file 'nowhere'"),
        ("[scenario]\ncolour = 1", "scenario.colour", "unknown key"),
        ("[scenario]\nseed = 0", "scenario.seed", "must be 1 to"),
        ("= 1", "", "not a TOML file"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, key: str, why: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        inputs(tmp_path, text)

    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'sweep.toml'}: {key}: " if key else f"{tmp_path / 'sweep.toml'}: ")
    assert why in message
    assert "\n" not in message


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "sweeps.md").read_text(), re.DOTALL)
    (tmp_path / "numbers.toml").write_text("[costs]\nline_first = 40")
    found = inputs(tmp_path, example)

    assert (
        len(found) == 2 * 2 * 2 * 3 * 3 * 2 * 2 * 2 * 2 * 3 * 2 // 3
    )  # of slab's TLB sizes, two in three are excluded
    assert {run.scenario.reserve.device for run in found} == {32 << 20, 64 << 20, 128 << 20}
    assert {run.tlb for run in found if run.strategy == "slab"} == {32}
    assert {run.numbers["costs"]["line_first"] for run in found} == {40}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.toml: No such file"):
        read_sweep(tmp_path / "nowhere.toml")
