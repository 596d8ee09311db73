"""GCC's execute tests under a hostile MMU: programs that this project did not write judge the machine.

Each test runs behind the MMU with as few TLB entries as the architecture allows, clears at random cycles, changes of
ASID and three page sizes; its output and exit status must be those of the run without MMU and of qemu-m68k.
The tests come from Debian's package ``gcc-12-source`` and stay outside the repository.

``python -m tests.conformance.torture --help`` is the command. Reading order: layout, sources, build, programs, guest/,
hostile, campaign.
"""
