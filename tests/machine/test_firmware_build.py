"""The committed nucleus is what its sources say: header, source hash, ELF hashes, and a rebuild where that works."""

import shutil
import subprocess
from pathlib import Path

import pytest

from emu.elf import load_elf
from firmware import manifest, nucleus
from kernel_model import abi
from kernel_model.abi_header import render_header

COMPILER = "m68k-linux-gnu-gcc"


def compiler_version() -> str:
    if shutil.which(COMPILER) is None:
        return ""
    text = subprocess.run([COMPILER, "--version"], capture_output=True, text=True, check=True).stdout
    return text.splitlines()[0]


def test_the_header_is_what_the_abi_renders() -> None:
    assert (manifest.HERE / "include" / "abi.h").read_text() == render_header()


def test_the_elfs_were_built_from_these_sources() -> None:
    assert manifest.read()["sources"] == manifest.source_hash()


def test_the_elfs_are_those_of_the_manifest() -> None:
    assert manifest.read()["elfs"] == manifest.elf_hashes()


def test_every_source_decides_the_hash(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "include").mkdir()
    for name in ("src/a.c", "include/a.h", "nucleus.lds", "Makefile"):
        (tmp_path / name).write_text(name)
    seen = {manifest.source_hash(tmp_path)}
    for name in ("src/a.c", "include/a.h", "nucleus.lds", "Makefile"):
        (tmp_path / name).write_text(name + "!")
        seen.add(manifest.source_hash(tmp_path))
    assert len(seen) == 5


@pytest.mark.slow
@pytest.mark.skipif(compiler_version() != manifest.read()["compiler"], reason="another cross compiler, or none")
def test_a_rebuild_gives_the_same_bytes(tmp_path: Path) -> None:
    make = ["make", "-s", "-C", str(manifest.HERE), "elfs", f"OUT={tmp_path}", f"BUILD={tmp_path / 'objects'}"]
    subprocess.run(make, check=True, capture_output=True)
    assert manifest.elf_hashes(tmp_path) == manifest.read()["elfs"]


@pytest.mark.parametrize("base", [0xC000_0000, 0])
def test_image_layout(base: int) -> None:
    elf = load_elf(nucleus(base).path)
    assert elf.entry == elf.address("start") - abi.KVA + base
    assert elf.address("vectors") == abi.KVA
    assert elf.address("boot") == abi.KVA + abi.PARAMETER_OFFSET
    assert min(segment.paddr for segment in elf.segments if segment.memsz) == base
    assert elf.address("_end") <= abi.KVA + abi.IMAGE_SIZE


def test_no_nucleus_for_another_address() -> None:
    with pytest.raises(ValueError, match="0x40000000"):
        nucleus(0x4000_0000)


def test_parameter_block_names_the_bad_parameter() -> None:
    with pytest.raises(ValueError, match="no such boot parameter: colour"):
        abi.ParameterBlock(colour=1)
    with pytest.raises(ValueError, match=r"vector_count: 10 values wanted, 1 given"):
        abi.ParameterBlock(vector_count=1)
    with pytest.raises(ValueError, match="ram_size: -0x1 is not"):
        abi.ParameterBlock(ram_size=-1)


def test_parameter_block_is_big_endian_at_the_offsets_of_the_table() -> None:
    packed = abi.ParameterBlock(growth_limit=0x1234_5678).pack()
    offset = next(field.offset for field in abi.PARAMETERS if field.name == "growth_limit")
    assert len(packed) == abi.PARAMETER_SIZE
    assert packed[offset : offset + 4] == b"\x12\x34\x56\x78"
