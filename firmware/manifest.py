"""What the prebuilt nucleus was built from, so that a stale one is noticed without a cross compiler.

``manifest.json`` holds one hash over all sources (names and contents), the compiler and flags that were used, and the
hash of each ELF. ``make firmware`` writes it; the tests recompute the source hash and, where the same compiler is
installed, rebuild and compare byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TypedDict

__all__ = ["HERE", "Manifest", "elf_hashes", "read", "source_files", "source_hash", "write"]

HERE = Path(__file__).resolve().parent
PREBUILT = HERE / "prebuilt"


class Manifest(TypedDict):
    """Contents of ``prebuilt/manifest.json``; all hashes are SHA-256 in hex."""

    sources: str
    compiler: str
    flags: str
    elfs: dict[str, str]


def source_files(root: Path = HERE) -> list[Path]:
    """Everything that decides what the ELFs contain, in a fixed order."""
    found = [*root.glob("src/*"), *root.glob("include/*.h"), root / "nucleus.lds", root / "Makefile"]
    return sorted(path for path in found if path.is_file())


def source_hash(root: Path = HERE) -> str:
    """One hash over the names and contents of all sources."""
    digest = hashlib.sha256()
    for path in source_files(root):
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def elf_hashes(directory: Path = PREBUILT) -> dict[str, str]:
    """Hash of each ELF in a directory, by file name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.glob("*.elf"))}


def read(directory: Path = PREBUILT) -> Manifest:
    """The committed manifest; OSError or ValueError when it is missing or damaged."""
    manifest: Manifest = json.loads((directory / "manifest.json").read_text())
    return manifest


def write(compiler: str, flags: str, directory: Path = PREBUILT) -> Manifest:
    """Record the ELFs that were just built in ``directory``."""
    manifest = Manifest(sources=source_hash(), compiler=compiler, flags=flags, elfs=elf_hashes(directory))
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return manifest


def _main() -> None:
    parser = argparse.ArgumentParser(description="record what the prebuilt nucleus was built from")
    parser.add_argument("--compiler", required=True, help="first line of `gcc --version`")
    parser.add_argument("--flags", required=True)
    arguments = parser.parse_args()
    write(arguments.compiler, arguments.flags)


if __name__ == "__main__":
    _main()
