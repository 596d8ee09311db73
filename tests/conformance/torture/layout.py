"""Where everything lies, for the host and, as macros, for the guest's sources."""

from emu.board import Board

__all__ = ["BOARD", "KERNEL", "LOCK_LIST", "MACROS", "PAGE_SIZES", "PAGE_TABLE", "USER", "USER_BYTES"]

KERNEL, KERNEL_BYTES = 0xC0000000, 1 << 20
LOCK_LIST = KERNEL + 0x10000
PAGE_TABLE = KERNEL + 0x20000
USER, USER_BYTES = 0x40000000, 8 << 20  # VA of the programs, and PA where there is no MMU
STACK_BYTES = 1 << 20
MBAR, WINDOW = 0xF0000000, 0xFE000000
BOARD = Board("torture", "a kernel's RAM and a program's", ((KERNEL, KERNEL_BYTES), (USER, USER_BYTES)), None, MBAR, 1)

PAGE_SIZES = {1: 10, 4: 12, 8: 13}  # kilobytes -> address bits

MACROS = {
    "KERNEL": KERNEL,
    "KERNEL_STACK": LOCK_LIST,
    "KERNEL_ACR": KERNEL | 0xA000,  # 16 MB, enabled, supervisor only (sheet 2.3)
    "LOCK_LIST": LOCK_LIST,
    "PAGE_TABLE": PAGE_TABLE,
    "MBAR": MBAR,
    "MBAR_ACR": MBAR | 0xA040,  # the same, inhibited
    "WINDOW": WINDOW,
    "USER": USER,
    "USER_BYTES": USER_BYTES,
    "STACK_BYTES": STACK_BYTES,
}
