"""What `cfemu doctor` looks at beside the machine: the kernel's own files."""

from emu.doctor import CHECKS, Check, Missing
from firmware import manifest
from firmware.linux import build

__all__ = ["ALL_CHECKS"]


def nucleus() -> str:
    """Whether the prebuilt programs are the ones that the manifest has."""
    wanted, there = manifest.read()["elfs"], manifest.elf_hashes()
    wrong = [name for name, digest in wanted.items() if there.get(name) != digest]
    if wrong:
        raise Missing(f"not there, or changed: {', '.join(wrong)}")
    return f"{len(wanted)} prebuilt programs as in their manifest"


def linux() -> str:
    """Whether there is a Linux to run."""
    kernel = build.KERNELS["m5475evb"].vmlinux
    if not kernel.exists():
        packages = build.missing_packages()
        raise Missing("not built" + (f"; first: apt install {' '.join(packages)}" if packages else ""))
    return str(kernel)


ALL_CHECKS = (
    *CHECKS,
    Check("nucleus", "compare, sweep, advise, report", nucleus, "pip install --force-reinstall cfemu", needed=True),
    Check("Linux kernel", "Linux as a guest", linux, "make linux, in a work tree of cfemu"),
)
