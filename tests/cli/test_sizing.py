"""`cfemu sizing`: both ports' sizes without running anything."""

import json

import pytest

from emu.cli import execute
from kernel_model.cli import app
from kernel_model.sizing import MEGABYTE
from kernel_model.targets import TARGETS, boot_size


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Status, stdout, stderr."""
    status = execute(app, ["sizing", *arguments])
    return (status, *capsys.readouterr())


def test_the_command_says_the_same_as_the_functions(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--ram", "512 MB", "--device", "64 MB", "--no-tables", "--json")
    result = json.loads(out)
    assert status == 0
    assert [row["target"] for row in result["boot"]] == ["coldfire", "i386"]
    for row in result["boot"]:
        expected = boot_size(TARGETS[row["target"]], 512 * MEGABYTE, tables=False)
        assert (row["heap"], row["page_tables"]) == (expected.heap.bytes, expected.page_tables)
    assert [row["frames"] for row in result["devices"]] == [54, 240]
    assert "NO" in run(capsys, "--ram", "4 GB")[1]


@pytest.mark.parametrize(
    ("option", "size"), [("--ram", "1x"), ("--ram", "1 MB"), ("--ram", "0"), ("--device", "-1 MB")]
)
def test_sizes_that_cannot_be_meant(capsys: pytest.CaptureFixture[str], option: str, size: str) -> None:
    status, out, error = run(capsys, option, size)
    assert (status, out) == (2, "")
    assert error.startswith(f"cfemu: {option}: ")
    assert error.count("\n") == 1
