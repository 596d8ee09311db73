"""The embedded suite, compiled for the host: it has no undefined behaviour, and the guest computes the same."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.suite import KERNELS, LEAST, SuiteKernel, Way, run
from tests.support.suite import SMALL

SOURCE = Path(__file__).resolve().parents[2] / "benchmarks" / "guest" / "suite"
LARGEST = {"interpreter": 20_000}  # its size has no bound that a test could wait for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("make") is None, reason="needs gcc and make"),
]


def build(directory: Path, *variables: str) -> Path:
    """The host's program, in a copy of the sources."""
    source = directory / "suite"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("build"))
    subprocess.run(["make", "-s", "-C", str(source), "build/host", *variables], check=True, capture_output=True)
    return source / "build" / "host"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a check of every operation that C leaves undefined; the first one ends the program."""
    options = "SANITIZE=-fsanitize=undefined,address -fno-sanitize-recover=all"
    return build(tmp_path_factory.mktemp("sanitized"), options)


def checksum(program: Path, name: str, size: int, repetitions: int) -> int:
    command = [str(program), name, str(size), str(repetitions)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("name", SMALL)
def test_the_committed_checksums_are_those_of_the_host(name: str, host: Path) -> None:
    size, repetitions, expected = SMALL[name]

    assert checksum(host, name, size, repetitions) == expected


@pytest.mark.parametrize("way", ["direct", "linux"])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_the_guest_computes_the_same_at_its_default_size(kernel: SuiteKernel, way: Way, host: Path) -> None:
    assert run(kernel, way).checksum == checksum(host, kernel.name, kernel.size, kernel.repetitions)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_no_size_leads_to_undefined_behaviour(kernel: SuiteKernel, sanitized: Path, host: Path) -> None:
    largest = LARGEST.get(kernel.name, kernel.most)
    for size, repetitions in ((LEAST, 20), (kernel.size, kernel.repetitions), (largest, 2)):
        expected = checksum(host, kernel.name, size, repetitions)
        assert checksum(sanitized, kernel.name, size, repetitions) == expected
