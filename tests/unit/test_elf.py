"""Loading ELF files: what comes out of a good one, and one clear line for each way a file can be bad."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.elf import Elf, ElfError, Segment, Symbol, load_elf
from emu.errors import UsageError
from tests.support import elfgen

CODE = elfgen.NOP * 8
BASE = 0x2000
HEADER_BYTES = 52
FUNCTION, OBJECT, NOTYPE, FILE = 2, 1, 0, 4
GLOBAL, LOCAL = 1, 0
ABSOLUTE = 0xFFF1


def good_image() -> bytes:
    return elfgen.make_elf([elfgen.Segment(BASE, CODE, 0x40)], symbols={"start": BASE, "loop": BASE + 8})


def patched(image: bytes, offset: int, field_format: str, value: int) -> bytes:
    """``image`` with one big-endian field replaced."""
    changed = bytearray(image)
    struct.pack_into(">" + field_format, changed, offset, value)
    return bytes(changed)


def with_symbols(*symbols: tuple[str, int, int, int, int, int]) -> bytes:
    """A good file whose symbols are (name, value, size, binding, type, section)."""
    image = bytearray(elfgen.make_elf([elfgen.Segment(BASE, CODE, 0x40)], symbols={s[0]: s[1] for s in symbols}))
    section_headers = struct.unpack_from(">I", image, 32)[0]
    table = struct.unpack_from(">I", image, section_headers + 2 * 40 + 16)[0]
    for i, (_, _, size, binding, kind, section) in enumerate(symbols, start=1):
        struct.pack_into(">IBBH", image, table + 16 * i + 8, size, binding << 4 | kind, 0, section)
    return bytes(image)


def load(directory: Path, image: bytes) -> Elf:
    """What load_elf makes of ``image``."""
    path = directory / "guest.elf"
    path.write_bytes(image)
    return load_elf(path)


def complaint(directory: Path, image: bytes) -> str:
    """What load_elf says about a bad ``image``, without the path; checks that it is one line that names the file."""
    with pytest.raises(ElfError) as caught:
        load(directory, image)
    path, _, why = str(caught.value).partition(": ")
    assert path == str(directory / "guest.elf")
    assert "\n" not in why
    assert caught.value.why == why
    return why


# --- A good file ----------------------------------------------------------------------------------------------------


def test_segments_and_entry(tmp_path: Path) -> None:
    elf = load(tmp_path, elfgen.make_elf([elfgen.Segment(BASE, CODE, 0x40)], entry=BASE + 2))

    assert elf.entry == BASE + 2
    assert elf.segments == (Segment(paddr=BASE, vaddr=BASE, memsz=0x40, data=CODE),)


def test_physical_and_virtual_addresses_are_kept_apart(tmp_path: Path) -> None:
    elf = load(tmp_path, patched(good_image(), HEADER_BYTES + 12, "I", 0x9000))

    assert (elf.segments[0].vaddr, elf.segments[0].paddr) == (BASE, 0x9000)


def test_an_address_is_named_by_the_label_before_it(tmp_path: Path) -> None:
    elf = load(tmp_path, good_image())

    assert elf.symbol(BASE) == "start"
    assert elf.symbol(BASE + 6) == "start+0x6"
    assert elf.symbol(BASE + 8) == "loop"
    assert elf.symbol(BASE - 2) is None


def test_a_label_without_size_reaches_to_the_end_of_its_segment(tmp_path: Path) -> None:
    elf = load(tmp_path, good_image())

    assert elf.symbol(BASE + 0x3F) == "loop+0x37"
    assert elf.symbol(BASE + 0x40) is None


def test_a_label_with_size_does_not_reach_beyond_it(tmp_path: Path) -> None:
    elf = load(tmp_path, with_symbols(("f", BASE, 4, GLOBAL, FUNCTION, 1)))

    assert elf.symbol(BASE + 3) == "f+0x3"
    assert elf.symbol(BASE + 4) is None


def test_a_function_name_is_preferred_and_every_name_has_its_address(tmp_path: Path) -> None:
    # Given three names of one place
    elf = load(
        tmp_path,
        with_symbols(
            ("a_label", BASE, 0, GLOBAL, NOTYPE, 1),
            ("b_data", BASE, 0, GLOBAL, OBJECT, 1),
            ("c_function", BASE, 0, GLOBAL, FUNCTION, 1),
        ),
    )

    # Then the function speaks for the place and all three can be asked for
    assert elf.symbol(BASE) == "c_function"
    assert {elf.address(name) for name in ("a_label", "b_data", "c_function")} == {BASE}


def test_a_global_name_wins_over_a_local_one(tmp_path: Path) -> None:
    elf = load(tmp_path, with_symbols(("a", BASE, 0, LOCAL, FUNCTION, 1), ("b", BASE, 0, GLOBAL, FUNCTION, 1)))

    assert elf.symbol(BASE) == "b"


@pytest.mark.parametrize(
    "useless",
    [
        (".L5", BASE, 0, LOCAL, NOTYPE, 1),
        ("$d", BASE, 0, LOCAL, NOTYPE, 1),
        ("main.c", BASE, 0, LOCAL, FILE, 1),
        ("elsewhere", BASE, 0, GLOBAL, NOTYPE, 0),
    ],
)
def test_labels_that_help_nobody_are_left_out(tmp_path: Path, useless: tuple[str, int, int, int, int, int]) -> None:
    elf = load(tmp_path, with_symbols(useless))

    assert elf.symbols == ()
    assert elf.symbol(BASE) is None


def test_an_absolute_label_has_a_value_but_names_no_place(tmp_path: Path) -> None:
    elf = load(tmp_path, with_symbols(("STACK_SIZE", BASE, 0, GLOBAL, NOTYPE, ABSOLUTE)))

    assert elf.address("STACK_SIZE") == BASE
    assert elf.symbol(BASE) is None


def test_a_stripped_file_loads_without_symbols(tmp_path: Path) -> None:
    image = good_image()
    elf = load(tmp_path, patched(patched(image, 48, "H", 0), 50, "H", 0))

    assert elf.symbols == ()
    assert elf.segments[0].data == CODE


def test_asking_for_a_label_that_does_not_exist(tmp_path: Path) -> None:
    elf = load(tmp_path, good_image())

    with pytest.raises(ElfError, match=r"guest\.elf: no symbol 'nowhere'$"):
        elf.address("nowhere")


# --- Bad files --------------------------------------------------------------------------------------------------------


def test_a_virtual_address_is_found_where_it_is_loaded() -> None:
    segments = (Segment(0x1000, 0xC0000000, 0x100, b"ab"), Segment(0x8000, 0xC0001000, 0x10, b""))
    elf = Elf(Path("a"), 0, segments, (), {})

    assert elf.physical(0xC0000002) == 0x1002
    assert elf.physical(0xC000100F) == 0x800F
    assert elf.physical(0xC0000100) is None
    assert elf.physical(0x1000) is None


def test_labels_of_another_file_fill_the_gaps() -> None:
    kernel = Elf(
        Path("a"),
        0,
        (Segment(0, 0x1000, 0x100, b""),),
        (Symbol(0x1000, "start"), Symbol(0x1010, "stop", 4)),
        {"start": 0x1000, "stop": 0x1010},
    )
    other = Elf(
        Path("b"),
        0,
        (Segment(0, 0x8000, 0x20, b""),),
        (Symbol(0x1010, "hidden"), Symbol(0x1020, "inner", 8), Symbol(0x8000, "open")),
        {"start": 0x9999, "open": 0x8000},
    )
    both = kernel.with_symbols(other)

    assert [both.symbol(va) for va in (0x1010, 0x1014, 0x1024, 0x1028)] == ["stop", None, "inner+0x4", None]
    assert [both.symbol(va) for va in (0x8000, 0x801F, 0x8020)] == ["open", "open+0x1f", None]  # its own segment's end
    assert both.labels == {"start": 0x1000, "stop": 0x1010, "open": 0x8000}
    assert both.segments == kernel.segments


def test_an_elf_error_is_the_users_error() -> None:
    assert issubclass(ElfError, UsageError)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ElfError, match=r"none\.elf: no such file or directory$"):
        load_elf(tmp_path / "none.elf")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ElfError, match=r": is a directory$"):
        load_elf(tmp_path)


@pytest.mark.parametrize("image", [b"", b"\x7fEL", b"#!/bin/sh\n", bytes(100)])
def test_not_elf(tmp_path: Path, image: bytes) -> None:
    assert complaint(tmp_path, image) == "not an ELF file"


@pytest.mark.parametrize("length", [4, 16, HEADER_BYTES - 1])
def test_a_truncated_header(tmp_path: Path, length: int) -> None:
    assert complaint(tmp_path, good_image()[:length]).startswith(f"truncated: {length} bytes")


def test_a_truncated_program_header_table(tmp_path: Path) -> None:
    assert complaint(tmp_path, good_image()[: HEADER_BYTES + 8]).startswith("truncated: program header table")


def test_a_truncated_section_header_table(tmp_path: Path) -> None:
    assert complaint(tmp_path, good_image()[:-1]).startswith("truncated: section header table")


def test_a_segment_outside_the_file(tmp_path: Path) -> None:
    image = patched(patched(good_image(), HEADER_BYTES + 16, "I", 0x1000), HEADER_BYTES + 20, "I", 0x1000)

    assert complaint(tmp_path, image).startswith("truncated: segment 0 ends at 0x1054")


def test_a_symbol_table_outside_the_file(tmp_path: Path) -> None:
    image = good_image()
    symbol_table_header = struct.unpack_from(">I", image, 32)[0] + 2 * 40

    assert complaint(tmp_path, patched(image, symbol_table_header + 16, "I", 0x7FFF0000)).startswith(
        "truncated: symbol table"
    )


def test_a_symbol_table_of_entries_of_no_size(tmp_path: Path) -> None:
    image = good_image()
    symbol_table_header = struct.unpack_from(">I", image, 32)[0] + 2 * 40

    assert complaint(tmp_path, patched(image, symbol_table_header + 36, "I", 0)).startswith("damaged: symbol table")


@pytest.mark.parametrize(
    ("offset", "field_format", "value", "expected"),
    [
        (4, "B", 2, "not a 32-bit ELF file (ColdFire is 32-bit)"),
        (5, "B", 1, "not a big-endian ELF file (ColdFire is big-endian)"),
        (18, "H", elfgen.EM_386, "for another machine (e_machine 3, expected 4: 68k/ColdFire)"),
        (16, "H", 1, "not an executable (e_type 1): link it first"),
        (44, "H", 0, "no loadable segment"),
        (HEADER_BYTES, "I", 4, "no loadable segment"),
        (HEADER_BYTES + 20, "I", 1, "damaged: segment 0 has 16 bytes in the file but 1 in memory"),
        (HEADER_BYTES + 8, "I", 0xFFFFFFF0, "damaged: segment 0 reaches beyond the 32-bit address space"),
        (42, "H", 8, "damaged: program header table has entries of 8 bytes, expected 32"),
        (50, "H", 99, "damaged: section name table 99 does not exist"),
    ],
)
def test_one_wrong_field(tmp_path: Path, offset: int, field_format: str, value: int, expected: str) -> None:
    assert complaint(tmp_path, patched(good_image(), offset, field_format, value)) == expected


def test_a_real_little_endian_file(tmp_path: Path) -> None:
    image = elfgen.make_elf([elfgen.Segment(BASE, CODE)], big_endian=False)

    assert complaint(tmp_path, image).startswith("not a big-endian ELF file")


@given(
    cut=st.integers(0, len(good_image())),
    damage=st.lists(st.tuples(st.integers(0, len(good_image()) - 1), st.integers(0, 255)), max_size=8),
)
def test_no_damage_gets_past_elf_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, damage: list[tuple[int, int]]
) -> None:
    # Given a good file with a few bytes changed, perhaps cut short
    image = bytearray(good_image())
    for position, value in damage:
        image[position] = value
    path = tmp_path_factory.getbasetemp() / "damaged.elf"
    path.write_bytes(image[: cut or len(image)])

    # Then it loads, or there is one line about it (any other exception fails the test)
    with contextlib.suppress(ElfError):
        assert load_elf(path).segments


# --- small files that ask for much


def section_field(image: bytes, section: int, field: int) -> int:
    """Offset in the file of a 32-bit field of a section header: 2 flags, 4 offset, 5 size."""
    return int(struct.unpack_from(">I", image, 32)[0]) + 40 * section + 4 * field


def test_segments_that_share_bytes_of_the_file_are_refused(tmp_path: Path) -> None:
    image = elfgen.make_elf([elfgen.Segment(BASE + 0x1000 * i, CODE) for i in range(3)])
    for second in (1, 2):  # each points at the first one's bytes, and at all that follow
        image = patched(image, HEADER_BYTES + 32 * second + 4, "I", HEADER_BYTES + 3 * 32)
        image = patched(image, HEADER_BYTES + 32 * second + 16, "I", 3 * len(CODE))
        image = patched(image, HEADER_BYTES + 32 * second + 20, "I", 3 * len(CODE))
    image = patched(image, HEADER_BYTES + 4, "I", 0)
    image = patched(image, HEADER_BYTES + 16, "I", len(image))
    image = patched(image, HEADER_BYTES + 20, "I", len(image))

    assert complaint(tmp_path, image) == "damaged: segment 1 and those before it lie upon each other"


def test_segments_that_are_larger_than_the_address_space_are_refused(tmp_path: Path) -> None:
    image = elfgen.make_elf([elfgen.Segment(0, CODE, 0x80000000), elfgen.Segment(0x1000, CODE, 0x80000001)])

    assert complaint(tmp_path, image) == "damaged: segment 1 and those before it lie upon each other"


def test_symbol_tables_that_share_bytes_are_refused(tmp_path: Path) -> None:
    image = elfgen.make_elf([elfgen.Segment(BASE, CODE)], symbols={f"label{i}": BASE for i in range(60)})
    headers = struct.unpack_from(">I", image, 32)[0]
    again = image[headers + 2 * 40 : headers + 3 * 40]  # the symbol table once more
    image = patched(image + again * 3, 48, "H", 5 + 3)

    assert complaint(tmp_path, image) == "damaged: symbol tables lie upon each other"


def test_names_that_share_bytes_are_refused_where_they_grow_beyond_the_file(tmp_path: Path) -> None:
    count = 300
    image = elfgen.make_elf([elfgen.Segment(BASE, CODE)], symbols={f"label{i}": BASE for i in range(count)})
    table = struct.unpack_from(">I", image, section_field(image, 2, 4))[0]
    strings, size = (struct.unpack_from(">I", image, section_field(image, 3, field))[0] for field in (4, 5))
    image = image[:strings] + b"n" * (size - 1) + b"\0" + image[strings + size :]
    for i in range(1, count + 1):
        image = patched(image, table + 16 * i, "I", 0)  # one name for all: as long as all of them were

    assert "names of symbols lie upon each other" in complaint(tmp_path, image)


@pytest.mark.parametrize("section", [2, 3], ids=["symbols", "names"])
def test_compressed_symbols_are_refused(tmp_path: Path, section: int) -> None:
    image = good_image()

    assert (
        complaint(tmp_path, patched(image, section_field(image, section, 2), "I", 0x800)) == "compressed symbol table"
    )


def test_names_do_not_command_a_terminal(tmp_path: Path) -> None:
    image = elfgen.make_elf([elfgen.Segment(BASE, CODE)], symbols={"\x1b[2Jgone\r\n\u202e": BASE})

    assert load(tmp_path, image).symbol(BASE) == r"\x1b[2Jgone\x0d\x0a\u202e"
