"""``make readme``: fills the marked places of the documents with what the product prints today.

``<!-- output: cfemu ... -->`` shows a command's output, or that of several between ``&&``, in a folder of their own;
``<!-- schema: FILE -->`` the tables of a JSON schema,
``<!-- lines: FILE "from" "to" -->`` the lines of a file from the first that contains one text to the next that contains
the other, ``<!-- columns: runs -->`` the columns of a sweep's table. On the pages that lead a reader through a session
(:data:`PLAYED`) all commands are typed in their order (benchmarks.sessions), and show what they print. The test suite
fills all of it in the same way and requires the same text, so no figure and no field list can be stale.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.sessions import replayed

__all__ = ["COVERED", "DOCUMENTS", "PLAYED", "ROOT", "outputs", "render", "run_command", "schema_tables"]

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", *(ROOT / "docs" / name for name in ("debugging.md", "json.md", "sweeps.md")))
PLAYED = tuple(
    sorted(ROOT / "docs" / page for page in ("index.md", "tour.md"))
    + sorted(path for folder in ("concepts", "howto") for path in (ROOT / "docs" / folder).glob("*.md"))
)
# Commands that are not typed in a session, by page: with the tests that run them, and why.
COVERED = ROOT / "tests" / "docs" / "covered_elsewhere.toml"
PLACE = re.compile(
    r"<!-- (?P<kind>output|schema|lines|columns): (?P<what>[^\n]+?) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL
)
START = "from kernel_model.cli import main; main()"


def run_command(command: str, folder: Path = ROOT) -> str:
    """Standard output of a `cfemu ...` command line; raises CalledProcessError unless it ends with status 0."""
    program, *arguments = shlex.split(command)
    if program != "cfemu":
        raise ValueError(f"not a cfemu command: {command}")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", START, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def console_block(command: str) -> str:
    """Each of the commands and, under it, what it prints."""
    commands = command.split(" && ")
    lines = []
    with tempfile.TemporaryDirectory() as own:
        for one in commands:
            printed = run_command(one, ROOT if len(commands) == 1 else Path(own)).rstrip().splitlines()
            lines += [f"$ {one}", *(line.rstrip() for line in printed)]
    return "\n".join(["```console", *lines, "```", ""])


def file_lines(what: str) -> str:
    """Some lines of a file, as a console shows them."""
    path, first, last = shlex.split(what)
    lines = (ROOT / path).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if first in line)
    end = next(i for i, line in enumerate(lines[start:], start) if last in line)
    return "\n".join(["```console", *lines[start : end + 1], "```", ""])


def schema_tables(path: str) -> str:
    """One table per object of a JSON schema: the root first, then the others in the order in which they are met."""
    schema = json.loads((ROOT / path).read_text())
    definitions = schema["$defs"]
    waiting, done = [reference(schema)], list[str]()
    while waiting:
        name = waiting.pop(0)
        if name not in done:
            done.append(name)
            waiting += [n for n in map(reference, definitions[name]["properties"].values()) if n]
    return "\n".join(line for name in done for line in object_table(name, definitions[name]))


def object_table(name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"**{name}**: {definition['description']}", "", "| key | type | meaning |", "|---|---|---|")
    for key in definition["required"] + sorted(set(definition["properties"]) - set(definition["required"])):
        value = definition["properties"][key]
        yield f"| `{key}` | {type_name(value)} | {value.get('description', '').replace('|', '/')} |"
    yield ""


def reference(value: Mapping[str, Any]) -> str:
    """Name of the object that a property holds, directly, in a list, in a map or as one of several; else empty."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    inner = [value[key] for key in ("items", "additionalProperties") if isinstance(value.get(key), dict)]
    return next(filter(None, map(reference, inner + value.get("anyOf", []))), "")


def type_name(value: Mapping[str, Any]) -> str:
    """A property's type in words: `integer`, `Row list`, `Misses or null`, `map of Operation`."""
    if "anyOf" in value:
        return " or ".join(type_name(choice) for choice in value["anyOf"])
    if "$ref" in value:
        return reference(value)
    if value.get("type") == "array":
        return f"{type_name(value['items'])} list"
    if isinstance(value.get("additionalProperties"), dict):
        return f"map of {type_name(value['additionalProperties'])}"
    return str(value.get("type", "any"))


def column_table(which: str) -> str:
    """Columns of a sweep's table, with their types as DuckDB names them, structs and maps shortened."""
    if which != "runs":
        raise ValueError(f"no table {which}")
    from kernel_model.sweeps.columns import meanings, table_of
    from kernel_model.sweeps.query import ask_table

    types = dict(ask_table(table_of([]), "SELECT column_name, column_type FROM (DESCRIBE runs)").rows)
    lines = ["| column | type | meaning |", "|---|---|---|"]
    for name, meaning in meanings().items():
        kind = re.sub(r"\(.*\)", "", types[name])
        lines.append(f"| `{name}` | {kind} | {meaning.replace('|', '/')} |")
    return "\n".join([*lines, ""])


FILLERS = {"output": console_block, "schema": schema_tables, "lines": file_lines, "columns": column_table}


def outputs(text: str) -> dict[str, str]:
    """What a document shows for each marked command."""
    return {place["what"]: place["body"] for place in PLACE.finditer(text) if place["kind"] == "output"}


def render(text: str) -> str:
    """The document with every marked place filled anew."""

    def fill(place: re.Match[str]) -> str:
        kind, what = place["kind"], place["what"]
        body = FILLERS[kind](what)
        return f"<!-- {kind}: {what} -->\n{body}<!-- end -->"

    return PLACE.sub(fill, text)


def main() -> int:
    """Fill everything, or the documents whose names contain one of the arguments."""
    words = sys.argv[1:] or [""]
    elsewhere = tomllib.loads(COVERED.read_text())
    for document in DOCUMENTS:
        if any(word in str(document) for word in words):
            document.write_text(render(document.read_text()))
    for page in PLAYED:
        if any(word in str(page) for word in words):
            with tempfile.TemporaryDirectory() as directory:
                skipped = elsewhere.get(str(page.relative_to(ROOT)), {})
                page.write_text(replayed(page.read_text(), Path(directory), skipped))
    return 0


if __name__ == "__main__":
    sys.exit(main())
