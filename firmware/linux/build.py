"""``make linux``: an unmodified Linux from Debian's kernel source, with programs of ours, for the M5475EVB.

The result, build/linux/vmlinux, is the same file whoever builds it: user, host and date are fixed. Nothing is built
again while the inputs are the same. Exit status 2, and one line, when a package is missing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "linux"
TARBALL = Path("/usr/src/linux-source-6.1.tar.xz")
SOURCE, OBJECTS, PROGRAMS = BUILD / "source", BUILD / "objects", BUILD / "programs"
VMLINUX, STAMP = BUILD / "vmlinux", BUILD / "inputs.sha256"
CROSS = "m68k-linux-gnu-"

PACKAGES = {  # what must be found -> the Debian package that has it
    f"{CROSS}gcc": "gcc-m68k-linux-gnu",
    f"{CROSS}ld": "binutils-m68k-linux-gnu",
    "gcc": "gcc",
    "make": "make",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "tar": "tar",
    "xz": "xz-utils",
}
COMPILE = (
    *(f"{CROSS}gcc", "-mcpu=5475", "-Os", "-Wall", "-Wextra", "-Werror"),
    *("-Wno-unused-parameter", "-Wno-missing-field-initializers"),
    *("-ffreestanding", "-fno-stack-protector", "-nostdlib", "-static"),
    *("-Wl,-z,noexecstack", "-Wl,--build-id=none"),
    "-Wl,-Ttext-segment=0x80000000",  # the ACRs of this kernel hide everything below 32 MB from user mode
)
SHARED = ("start.S", "syscalls.c", "text.c")
PROGRAM_SOURCES = {
    "init": ("init.c", "files.c", "processes.c", "memory.c"),
    "hello": ("hello.c",),
}
REPRODUCIBLE = {
    "KBUILD_BUILD_USER": "cfemu",
    "KBUILD_BUILD_HOST": "cfemu",
    "KBUILD_BUILD_TIMESTAMP": "2007-12-19 00:00:00 UTC",
    "KBUILD_BUILD_VERSION": "1",
    "LC_ALL": "C",
}


class BuildError(Exception):
    """One line for the user."""


def missing_packages() -> list[str]:
    """Debian packages that must be installed first. The kernel's own tools need a C library's headers."""
    missing = {package for tool, package in PACKAGES.items() if shutil.which(tool) is None}
    if not TARBALL.exists():
        missing.add("linux-source-6.1")
    if not Path("/usr/include/stdio.h").exists():
        missing.add("libc6-dev")
    return sorted(missing)


def tarball_version() -> str:
    """What tells one version of Debian's tarball from the next."""
    about = TARBALL.stat()
    return f"{about.st_size} {about.st_mtime_ns}"


def inputs_digest() -> str:
    """Of everything that the kernel is made from."""
    compiler = subprocess.run([f"{CROSS}gcc", "--version"], check=True, capture_output=True).stdout
    digest = hashlib.sha256(compiler + tarball_version().encode())
    inputs = [HERE / name for name in ("build.py", "kernel.config", "initramfs.list")]
    for path in (*inputs, *sorted((HERE / "init").iterdir())):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run(command: Sequence[str | Path], what: str) -> None:
    """Run a program quietly; what it said is shown when it fails, and kept in build/linux/log."""
    with (BUILD / "log").open("a") as log:
        log.write(f"\n# {what}\n")
        log.flush()
        done = subprocess.run(
            command, check=False, stdout=log, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"], **REPRODUCIBLE}
        )
    if done.returncode:
        tail = (BUILD / "log").read_text(errors="replace").splitlines()[-15:]
        print("\n".join(tail), file=sys.stderr)
        raise BuildError(f"{what} failed with status {done.returncode}; all of its output is in {BUILD / 'log'}")


def unpack() -> None:
    """The kernel's source; half an unpacking is never taken for a whole one, nor an old source for a new one."""
    stamp = SOURCE / ".tarball"
    if stamp.exists() and stamp.read_text() == tarball_version():
        return
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.rmtree(OBJECTS, ignore_errors=True)
    part = BUILD / "source.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    run(["tar", "-xf", TARBALL, "-C", part, "--strip-components=1"], "unpacking the kernel's source")
    part.rename(SOURCE)
    stamp.write_text(tarball_version())


def build_programs() -> None:
    """The first process and the program that it can start."""
    PROGRAMS.mkdir(exist_ok=True)
    for name, sources in PROGRAM_SOURCES.items():
        files = [HERE / "init" / source for source in (*SHARED, *sources)]
        run([*COMPILE, "-o", PROGRAMS / name, *files, "-lgcc"], f"compiling {name}")


def filled_in(template: Path, placeholder: str, value: str) -> Path:
    """A copy of ``template`` in the build folder, with a path of this machine in it."""
    target = BUILD / template.name
    target.write_text(template.read_text().replace(placeholder, value))
    return target


def build_kernel() -> None:
    """Configure and compile, out of the source tree."""
    initramfs = filled_in(HERE / "initramfs.list", " PROGRAMS/", f" {PROGRAMS}/")
    config = filled_in(HERE / "kernel.config", '"INITRAMFS"', f'"{initramfs}"')
    OBJECTS.mkdir(exist_ok=True)
    make: list[str | Path] = ["make", "-s", "-C", SOURCE, f"O={OBJECTS}", "ARCH=m68k", f"CROSS_COMPILE={CROSS}"]
    run([*make, f"KCONFIG_ALLCONFIG={config}", "allnoconfig"], "configuring the kernel")
    check_configuration(config)
    run([*make, f"-j{os.cpu_count() or 1}", "vmlinux"], "compiling the kernel")
    shutil.copyfile(OBJECTS / "vmlinux", VMLINUX)


def is_off(line: str, got: Sequence[str]) -> bool:
    """Whether ``line`` asks for an option not to be set, and it does not even exist here."""
    option = line.removeprefix("# ").removesuffix(" is not set")
    return line.startswith("#") and not any(g.startswith(f"{option}=") for g in got)


def check_configuration(wanted: Path) -> None:
    """Every line asked for must have come true: kconfig drops what it does not know without a word."""
    got = (OBJECTS / ".config").read_text().splitlines()
    lines = [line for line in wanted.read_text().splitlines() if line.startswith(("CONFIG_", "# CONFIG_"))]
    lost = [line for line in lines if line not in got and not is_off(line, got)]
    if lost:
        raise BuildError(f"the kernel's configuration does not take {', '.join(lost)}")


def main() -> int:
    try:
        missing = missing_packages()
        if missing:
            raise BuildError(f"these Debian packages are missing: {' '.join(missing)}")
        BUILD.mkdir(parents=True, exist_ok=True)
        digest = inputs_digest()
        if VMLINUX.exists() and STAMP.exists() and STAMP.read_text() == digest:
            print(f"{VMLINUX} is up to date")
            return 0
        STAMP.unlink(missing_ok=True)
        (BUILD / "log").write_text("")
        print("building Linux 6.1 for the M5475EVB, which takes a minute or two ...", file=sys.stderr)
        unpack()
        build_programs()
        build_kernel()
        STAMP.write_text(digest)
        print(f"{VMLINUX} is ready: cfemu run --board m5475evb {VMLINUX.relative_to(BUILD.parents[1])}")
    except BuildError as error:
        print(f"make linux: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make linux: interrupted; the next one goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
