"""Options of the commands that take a program or a row of a scenario: ``gdb``, ``step`` and ``trace record``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emu.cli import EngineName
from emu.errors import UsageError

__all__ = [
    "DEFAULT_BOARD",
    "BoardOption",
    "ElfArgument",
    "EngineOption",
    "InputOption",
    "LoadOption",
    "MappingOption",
    "Row",
    "ScenarioOption",
    "StrategyOption",
    "StrictOption",
    "SymbolsOption",
    "WorkloadOption",
]

DEFAULT_BOARD = "coyotos128"

ElfArgument = Annotated[
    Path | None, typer.Argument(metavar="[ELF]", help="A big-endian m68k ELF file.", show_default=False)
]
ScenarioOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Instead: a row of this scenario, file or name.", show_default=False),
]
StrategyOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the row; else the scenario's first.", show_default=False)
]
MappingOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of the row; else the scenario's first.", show_default=False)
]
WorkloadOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Run this workload only, after the boot.", show_default=False)
]
BoardOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help=f"Of a program; see `cfemu boards`. [default: {DEFAULT_BOARD}]", show_default=False
    ),
]
EngineOption = Annotated[EngineName, typer.Option(help="How to run it; all give the same counts.")]
InputOption = Annotated[
    Path | None,
    typer.Option("--input", metavar="FILE", help="Type this as soon as the guest listens.", show_default=False),
]
LoadOption = Annotated[
    list[str] | None, typer.Option(metavar="FILE@ADDR", help="As for `cfemu run`; repeatable.", show_default=False)
]
SymbolsOption = Annotated[
    list[Path] | None, typer.Option(metavar="ELF", help="As for `cfemu run`; repeatable.", show_default=False)
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="End at an access to a peripheral register that nothing models.")
]


@dataclass(frozen=True)
class Row:
    """What was said of a row of a scenario."""

    scenario: str | None
    strategy: str | None
    mapping: str | None
    workload: str | None

    def is_wanted(self, elf: Path | None) -> bool:
        """Whether it is the row that is meant, and no program. UsageError unless just one of them is."""
        if elf is not None and self.scenario is not None:
            raise UsageError("a program and a scenario: name one of them")
        if elf is None and self.scenario is None:
            raise UsageError("name either a program or, with --scenario, a scenario")
        if self.scenario is None and any((self.strategy, self.mapping, self.workload)):
            raise UsageError("--strategy, --mapping and --workload are about a scenario")
        return self.scenario is not None
