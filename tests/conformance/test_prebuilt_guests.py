"""The prebuilt ELFs of the benchmarks and the examples are what their committed sources compile to."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PREBUILT = ("benchmarks/guest/kernels.elf", "benchmarks/guest/suite/suite.elf", "examples/hello.elf")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("m68k-linux-gnu-gcc") is None, reason="needs Debian's gcc-m68k-linux-gnu"),
]


@pytest.mark.parametrize("path", PREBUILT)
def test_a_rebuild_gives_the_committed_bytes(path: str, tmp_path: Path) -> None:
    committed = ROOT / path
    directory = tmp_path / "source"
    shutil.copytree(committed.parent, directory, ignore=shutil.ignore_patterns("build"))
    (directory / committed.name).unlink()

    subprocess.run(["make", "-s", "-C", str(directory)], check=True, capture_output=True)

    assert (directory / committed.name).read_bytes() == committed.read_bytes()
