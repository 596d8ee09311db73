"""unicorn's private address space: the board's memory from 0 up, and our own windows above it."""

UC_LIMIT = 0xF0000000  # RAM and apertures are placed below
UC_SCRATCH = 0xF0000000  # public engine: a few instructions of ours
UC_SRAM = 0xF1000000
UC_MBAR = 0xF2000000
UC_WINDOW = 0xF3000000
UC_BOUNCE = 0xF5000000  # copies of operands that lie on two 1-KB pages, or of an instruction that runs alone
UC_ALONE = 0xF6000000  # public engine: instructions that run alone
MBAR_SIZE = 0x40000

SCRATCH_CCR = UC_SCRATCH  # CCR to D0, then halt
SCRATCH_CACR = UC_SCRATCH + 0x10  # D0 to CACR, then halt

SCRATCH_CODE = (
    bytes.fromhex("42c0 4ac8").ljust(0x10, b"\0")  # CCR to D0, then halt
    + bytes.fromhex("4e7b 0002 4ac8").ljust(0x10, b"\0")  # D0 to CACR, then halt
)
