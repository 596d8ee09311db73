"""The pages of the reference that code writes: commands, keys of scenario files, registers, results, the Python API.

Each is Markdown, by its place in the site. They are written when the site is built and exist nowhere else.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

import msgspec
import typer
from msgspec import inspect as types

from benchmarks.documents import column_table, schema_tables
from docs.builder.docstrings import as_markdown
from emu.board import BOARDS
from emu.mmu.registers import register_page
from kernel_model.cli import app
from kernel_model.devices import CATALOGUE
from kernel_model.scenario import WORKLOAD_LIMITS, ScenarioFile
from kernel_model.strategies import STRATEGIES
from kernel_model.workloads import WORKLOADS

__all__ = ["api_page", "cli_page", "reference_pages", "results_page", "scenario_page"]

SCHEMA = "kernel_model/schema.json"
GENERATED = "Generated from the code."
CODE = re.compile(r"(`[^`]+`)")
ITEM = re.compile(r"sheet 7 item (\d+)")
SHEET = re.compile(r" \(kernel sheet [\d.]+\)")  # a reference that readers do not have


def reference_pages() -> dict[str, str]:
    """Every generated page of the reference, by its place in the site."""
    return {
        "reference/cli.md": cli_page(),
        "reference/scenario.md": scenario_page(),
        "reference/registers.md": registers_page(),
        "reference/results.md": results_page(),
        "reference/api.md": api_page(),
    }


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table, and an empty line."""
    cells = [list(head), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return [*(f"| {' | '.join(map(_cell, row))} |" for row in cells), ""]


def _cell(text: str) -> str:
    """A line in which only columns are divided by ``|``: those in code are no harm, and would show a backslash."""
    return "".join(
        part if part.startswith("`") else part.replace("|", "\\|") for part in CODE.split(text.replace("\n", " "))
    )


def fenced(text: str) -> list[str]:
    """Text as it is, and an empty line."""
    return ["```text", *text.rstrip().splitlines(), "```", ""]


# --- commands --------------------------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every command with its arguments, options and examples."""
    lines = ["# Commands", "", GENERATED, "", app.info.help or "", ""]
    commands = list(_commands(typer.main.get_command(app), "cfemu"))
    summary = ((f"[`{name}`](#{_anchor(name)})", command.help or "") for name, command in commands)
    lines += table(("command", "what it does"), summary)
    for name, command in commands:
        lines += _command(name, command)
    return "\n".join(lines)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it, with the words that call them."""
    for word, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from _commands(inner, f"{name} {word}")
        else:
            yield f"{name} {word}", inner


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _command(name: str, command: Any) -> list[str]:
    context = command.context_class(command, info_name=name)
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"## {name} {{ #{_anchor(name)} }}", "", command.help or "", "", *fenced(usage)]
    for title in ("argument", "option"):
        found = [one for one in command.params if one.param_type_name == title and not getattr(one, "hidden", False)]
        rows = [(_parameter(one, context), one.help or "", _default(one)) for one in found]
        if rows:
            columns = 3 if any(default for _, _, default in rows) else 2
            lines += table((title, "meaning", "default")[:columns], (row[:columns] for row in rows))
    return lines + _epilog(command.epilog or "")


def _parameter(parameter: Any, context: Any) -> str:
    """An argument, or an option with its value, as they are typed."""
    metavar = parameter.make_metavar(context)
    if parameter.param_type_name == "argument":
        return f"`{metavar}`"
    if getattr(parameter, "is_flag", False):
        return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return f"`{parameter.opts[0]} {metavar}`" + (", repeatable" if parameter.multiple else "")


def _default(parameter: Any) -> str:
    value = parameter.default
    if callable(value):
        value = value()
    if value in (None, (), [], False) or not parameter.show_default:
        return ""
    if value is True and parameter.secondary_opts:
        return f"`{parameter.opts[0]}`"
    return f"`{value.value if isinstance(value, Enum) else value}`"


def _epilog(text: str) -> list[str]:
    """What `--help` says at its end: lists under their titles, the rest as paragraphs."""
    lines: list[str] = []
    for part in re.split(r"\n\s*\n", text.replace("\b", "").strip("\n")):
        title, _, body = part.partition("\n")
        if title.endswith(":") and body.startswith("  "):
            lines += [title, "", *fenced(inspect.cleandoc(body))]
        elif "\n  " in part:
            lines += fenced(part)
        else:
            lines += [part.replace("<", "&lt;"), ""]
    return lines


# --- scenario files --------------------------------------------------------------------------------------------------


def scenario_page() -> str:
    """Every key of a scenario file, and the names that its values can be."""
    lines = [
        "# Scenario files",
        "",
        GENERATED + " A scenario is a TOML file. Every key may be left out; an unknown key is an error. Sizes are"
        ' bytes, or a text with a unit: `"128 MB"`. [The default scenario](../../kernel_model/scenarios/default.toml)'
        " shows every key; `cfemu scenarios` lists those that are in the package."
        " The keys are also the axes of a [sweep](../sweeps.md).",
        "",
    ]
    info = types.type_info(ScenarioFile)
    assert isinstance(info, types.StructType)
    for title, struct in _structs(info):
        about = (
            inspect.cleandoc(struct.cls.__doc__ or "").split(": ", 1)[-1] if struct is not info else "keys at its top."
        )
        lines += [f"## {title}", "", about[:1].upper() + about[1:].replace("``", "`"), ""]
        lines += table(("key", "value", "default", "meaning"), _keys(struct))
    lines += ["## Names", "", "### Boards", "", "Also the values of `--board`.", ""]
    lines += table(("board", ""), ((f"`{name}`", board.summary) for name, board in BOARDS.items()))
    lines += ["### Strategies", ""]
    lines += table(
        ("strategy", "", "origin"), ((f"`{name}`", one.summary, one.origin) for name, one in STRATEGIES.items())
    )
    lines += ["### Workloads", ""]
    lines += table(
        ("workload", "", "by default"),
        ((f"`{name}`", one.summary, "yes" if one.by_default else "") for name, one in WORKLOADS.items()),
    )
    lines += ["### Kinds of devices", ""]
    lines += table(
        ("kind", "aperture", "holds", "source"),
        (
            (f"`{name}`", _size(kind.size), "memory" if kind.memory else "registers", SHEET.sub("", kind.source))
            for name, kind in CATALOGUE.items()
        ),
    )
    return "\n".join(lines)


def _size(size: int) -> str:
    units = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"))
    return next((f"{size // unit} {name}" for unit, name in units if size % unit == 0), str(size))


def _structs(info: types.StructType) -> Iterator[tuple[str, types.StructType]]:
    """The file's own keys, then each table."""
    yield "The file", info
    for field in info.fields:
        kind = _bare(field.type)
        if isinstance(kind, types.StructType):
            yield f"[{field.name}]", kind
        elif isinstance(kind, types.ListType) and isinstance(kind.item_type, types.StructType):
            yield f"[[{field.name}]]", kind.item_type


def _bare(kind: types.Type) -> types.Type:
    return kind.type if isinstance(kind, types.Metadata) else kind


def _keys(struct: types.StructType) -> Iterator[tuple[str, str, str, str]]:
    for field in struct.fields:
        kind = _bare(field.type)
        if isinstance(kind, types.StructType):
            continue
        if isinstance(kind, types.ListType) and isinstance(kind.item_type, types.StructType):
            continue
        extra = field.type.extra_json_schema if isinstance(field.type, types.Metadata) else None
        meaning = str((extra or {}).get("description", ""))
        yield f"`{field.name}`", _value(field.name, kind), _written(field.default), meaning


def _value(key: str, kind: types.Type) -> str:
    """What may be written for a key."""
    if key in WORKLOAD_LIMITS:
        low, high = WORKLOAD_LIMITS[key]
        return f"{low} to {high:,}"
    if isinstance(kind, types.UnionType):
        some = [one for one in map(_bare, kind.types) if not isinstance(one, types.NoneType)]
        return "size" if len(some) > 1 else _value(key, some[0])
    if isinstance(kind, types.EnumType):
        return ", ".join(f"`{member.value}`" for member in kind.cls)
    if isinstance(kind, types.ListType):
        return f"list of {_value('', _bare(kind.item_type))}"
    words = {types.StrType: "text", types.IntType: "integer", types.FloatType: "number", types.BoolType: "true, false"}
    return words[type(kind)]


def _written(value: Any) -> str:
    """A default as a file says it."""
    if value is None or value is msgspec.NODEFAULT or value == "":
        return ""
    if isinstance(value, Enum):
        value = value.value
    return f"`{msgspec.json.encode(value).decode()}`"


# --- registers -------------------------------------------------------------------------------------------------------


def registers_page() -> str:
    """Every register and bit field; items of the sheet lead to the table of open points."""
    return ITEM.sub(r"[item \1](../limits.md#item-\1)", register_page())


# --- results and API -------------------------------------------------------------------------------------------------


def results_page() -> str:
    """Result rows and the columns of a sweep."""
    return f"""# Results

{GENERATED} `cfemu compare --json` prints one object ([its JSON schema](../../{SCHEMA})); `cfemu sweep` writes the same
figures as columns of a Parquet file. What `cfemu run --json` prints is described in [JSON output](../json.md), how
columns are asked in [Sweeps](../sweeps.md).

## A comparison

{schema_tables(SCHEMA)}
## Columns of a sweep

{column_table("runs")}"""


def api_page() -> str:
    """What a program may import: all names in the packages' ``__all__``, with their docstrings."""
    lines = [
        "# Python, every name",
        "",
        GENERATED + " What may be relied on, and for how long: [Python](../api.md).",
        "",
    ]
    for name in ("emu", "kernel_model"):
        package = importlib.import_module(name)
        lines += [f"## {name}", "", as_markdown(inspect.getdoc(package) or ""), ""]
        for public in package.__all__:
            lines += [f"::: {name}.{public}", ""]
    return "\n".join(lines)
