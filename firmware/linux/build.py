"""``make linux``: an unmodified Linux from Debian's kernel source, with programs of ours, for the M5475EVB.

The result, build/linux/vmlinux, is the same file whoever builds it: user, host and date are fixed. Nothing is built
again while the inputs are the same. Exit status 2, and one line, when a package is missing.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "linux"
TARBALL = Path("/usr/src/linux-source-6.1.tar.xz")
SOURCE, PROGRAMS, LOG = BUILD / "source", BUILD / "programs", BUILD / "log"
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


@dataclass(frozen=True)
class Kernel:
    """One configuration: files of lines that are laid over each other, and what it is called."""

    board: str
    vmlinux: Path
    objects: Path
    configuration: tuple[str, ...]

    @property
    def stamp(self) -> Path:
        """Holds the digest of what this kernel was built from."""
        return self.vmlinux.with_suffix(".sha256")


KERNELS = {
    "m5475evb": Kernel("the M5475EVB", BUILD / "vmlinux", BUILD / "objects", ("kernel.config",)),
    "mcf5208evb": Kernel(
        "QEMU's mcf5208evb, without MMU",
        BUILD / "vmlinux-nommu",
        BUILD / "objects-nommu",
        ("kernel.config", "nommu.config"),
    ),
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
BUILT_AT = datetime(2007, 12, 19, tzinfo=UTC)
REPRODUCIBLE = {
    "KBUILD_BUILD_USER": "cfemu",
    "KBUILD_BUILD_HOST": "cfemu",
    "KBUILD_BUILD_TIMESTAMP": f"{BUILT_AT:%Y-%m-%d %H:%M:%S} UTC",
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


def inputs_digest(kernel: Kernel) -> str:
    """Of everything that the kernel is made from."""
    compiler = subprocess.run([f"{CROSS}gcc", "--version"], check=True, capture_output=True).stdout
    digest = hashlib.sha256(compiler + tarball_version().encode())
    inputs = [HERE / name for name in ("build.py", "initramfs.list", *kernel.configuration)]
    for path in (*inputs, *sorted((HERE / "init").iterdir())):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def run(command: Sequence[str | Path], what: str) -> None:
    """Run a program quietly; what it said is shown when it fails, and kept in build/linux/log."""
    with LOG.open("a") as log:
        log.write(f"\n# {what}\n")
        log.flush()
        done = subprocess.run(
            command, check=False, stdout=log, stderr=subprocess.STDOUT, env={"PATH": os.environ["PATH"], **REPRODUCIBLE}
        )
    if done.returncode:
        tail = LOG.read_text(errors="replace").splitlines()[-15:]
        print("\n".join(tail), file=sys.stderr)
        raise BuildError(f"{what} failed with status {done.returncode}; all of its output is in {LOG}")


def unpack() -> None:
    """The kernel's source; half an unpacking is never taken for a whole one, nor an old source for a new one."""
    stamp = SOURCE / ".tarball"
    if stamp.exists() and stamp.read_text() == tarball_version():
        return
    shutil.rmtree(SOURCE, ignore_errors=True)
    for kernel in KERNELS.values():
        shutil.rmtree(kernel.objects, ignore_errors=True)
    part = BUILD / "source.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    run(["tar", "-xf", TARBALL, "-C", part, "--strip-components=1"], "unpacking the kernel's source")
    part.rename(SOURCE)
    stamp.write_text(tarball_version())


def build_programs() -> None:
    """The first process and the program that it can start, of a fixed date: gen_init_cpio puts it into the image."""
    PROGRAMS.mkdir(exist_ok=True)
    for name, sources in PROGRAM_SOURCES.items():
        files = [HERE / "init" / source for source in (*SHARED, *sources)]
        run([*COMPILE, "-o", PROGRAMS / name, *files, "-lgcc"], f"compiling {name}")
        os.utime(PROGRAMS / name, (BUILT_AT.timestamp(), BUILT_AT.timestamp()))


def initramfs() -> Path:
    """The list of the root file system's contents, with the paths of this machine."""
    target = BUILD / "initramfs.list"
    target.write_text((HERE / target.name).read_text().replace(" PROGRAMS/", f" {PROGRAMS}/"))
    return target


def configuration(kernel: Kernel) -> list[str]:
    """The lines of its configuration; of two about one option the later one counts."""
    lines: dict[str, str] = {}
    for name in kernel.configuration:
        for line in (HERE / name).read_text().replace('"INITRAMFS"', f'"{initramfs()}"').splitlines():
            if line.startswith(("CONFIG_", "# CONFIG_")):
                lines[option_of(line)] = line
    return list(lines.values())


def option_of(line: str) -> str:
    """CONFIG_X, of CONFIG_X=y or of "# CONFIG_X is not set"."""
    return line.removeprefix("# ").split("=")[0].split(" ")[0]


def build_kernel(kernel: Kernel) -> None:
    """Configure and compile, out of the source tree."""
    kernel.objects.mkdir(exist_ok=True)
    wanted = configuration(kernel)
    config = kernel.objects / "wanted.config"
    config.write_text("\n".join(wanted) + "\n")
    make: list[str | Path] = ["make", "-s", "-C", SOURCE, f"O={kernel.objects}", "ARCH=m68k", f"CROSS_COMPILE={CROSS}"]
    run([*make, f"KCONFIG_ALLCONFIG={config}", "allnoconfig"], "configuring the kernel")
    check_configuration(kernel, wanted)
    run([*make, f"-j{os.cpu_count() or 1}", "vmlinux"], "compiling the kernel")
    shutil.copyfile(kernel.objects / "vmlinux", kernel.vmlinux)


def check_configuration(kernel: Kernel, wanted: Sequence[str]) -> None:
    """Every line asked for must have come true: kconfig drops what it does not know without a word."""
    got = (kernel.objects / ".config").read_text().splitlines()
    lost = [line for line in wanted if line not in got and not is_off(line, got)]
    if lost:
        raise BuildError(f"the kernel's configuration does not take {', '.join(lost)}")


def is_off(line: str, got: Sequence[str]) -> bool:
    """Whether ``line`` asks for an option not to be set, and it does not even exist here."""
    return line.startswith("#") and not any(g.startswith(f"{option_of(line)}=") for g in got)


def build(kernel: Kernel) -> None:
    """Check what is needed, then build what is not up to date."""
    missing = missing_packages()
    if missing:
        raise BuildError(f"these Debian packages are missing: {' '.join(missing)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:  # two may want a kernel at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        bring_up_to_date(kernel)


def bring_up_to_date(kernel: Kernel) -> None:
    """Build, unless what is there was made from the same inputs."""
    digest = inputs_digest(kernel)
    if kernel.vmlinux.exists() and kernel.stamp.exists() and kernel.stamp.read_text() == digest:
        print(f"{kernel.vmlinux} is up to date")
        return
    kernel.stamp.unlink(missing_ok=True)
    LOG.write_text("")
    print(f"building Linux 6.1 for {kernel.board}, which takes a minute or two ...", file=sys.stderr)
    unpack()
    build_programs()
    build_kernel(kernel)
    kernel.stamp.write_text(digest)
    print(f"{kernel.vmlinux} is ready")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("board", nargs="?", choices=KERNELS, default="m5475evb")
    try:
        build(KERNELS[parser.parse_args().board])
    except BuildError as error:
        print(f"make linux: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("make linux: interrupted; the next one goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
