"""Small runs of the embedded suite and what they compute, by the suite's own build for the host."""

from typing import NamedTuple

__all__ = ["SMALL", "Small"]


class Small(NamedTuple):
    size: int
    repetitions: int
    checksum: int


# Printed by build/host of benchmarks/guest/suite; tests/conformance/test_suite_on_the_host.py prints them again.
SMALL = {
    "sort": Small(40, 2, 0x1D218364),
    "crc32": Small(500, 2, 0xC44F545D),
    "fft_fixed": Small(32, 2, 0xD291CE24),
    "fft_double": Small(16, 1, 0x61FE04EA),
    "matrix": Small(10, 1, 0x6E5B728A),
    "strings": Small(120, 1, 0x3C1F4C43),
    "records": Small(24, 2, 0xCD52D394),
    "list": Small(60, 1, 0x4BFF00B5),
    "hash": Small(60, 2, 0x366AA816),
    "fir": Small(16, 2, 0xF03A424F),
    "interpreter": Small(20, 1, 0x000000BD),
    "bits": Small(16, 1, 0x8B0A0BBE),
    "table": Small(5000, 1, 0x8BBD9A26),
}
