"""The record of all peripherals, and the constants that more than one of them needs."""

from typing import Any

import numpy as np

__all__ = ["DEVICES_DTYPE", "Devices", "Psc", "SliceTimer"]

Devices = Any  # numba records of the types below; numba has no types for mypy
Psc = Any
SliceTimer = Any

NEVER = 1 << 62  # as a time: it does not come
SOURCES = 64  # of interrupts; source 0 does not exist
PSCS, SLICE_TIMERS, GPTS = 4, 2, 4
FIFO = 512  # characters, each way of a PSC (sheet 6.5)
LINE = 1 << 20  # characters that the host may have typed ahead
PINS = 0x50  # bytes of the GPIO and pin assignment registers
MAILBOX_ARGS, MAX_OPERATIONS = 16, 64

SLICE_TIMER_DTYPE = np.dtype(
    [
        ("terminal", "i8"),  # STCNT
        ("control", "i8"),  # SCR
        ("status", "i8"),  # SSR
        ("due", "i8"),  # core cycle of the next time-out, or NEVER
    ]
)

PSC_DTYPE = np.dtype(
    [
        ("mode", "i8", (2,)),  # MR1, MR2
        ("mode_next", "i8"),  # which of them the next access to MR reaches
        ("clock_select", "i8"),  # CSR
        ("auxiliary", "i8"),  # ACR
        ("enabled", "i8"),  # IMR
        ("divisor", "i8"),  # CTUR, CTLR
        ("outputs", "i8"),  # RTS as set by OPSET and OPRESET
        ("select", "i8"),  # SICR
        ("transmits", "i8"),
        ("receives", "i8"),
        ("sent", "i8"),  # core cycle when the last character accepted so far has left
        ("fifo", "u1", (FIFO,)),  # receive FIFO, a ring
        ("fifo_head", "i8"),
        ("fifo_count", "i8"),
        ("overrun", "i8"),
        ("arrives", "i8"),  # core cycle when the next character has come over the line, or NEVER
        (
            "from_line",
            "i8",
        ),  # place in the FIFO (1 = oldest) of the character that came last over the line; 0 = none
        # what the host has typed: a ring of LINE bytes; the counts only grow
        ("line", "i8"),
        ("line_read", "i8"),
        ("line_written", "i8"),
        ("quiet_until", "i8"),  # core cycle before which the host types nothing
        ("asks", "i8"),  # the host wants to know when the receiver is turned on for the first time
    ]
)

DEVICES_DTYPE = np.dtype(
    [
        ("bus_ratio", "i8"),  # core cycles per bus clock
        ("map", "i8"),  # address of the access rights of each byte of the window (emu.devices.registers)
        ("deadline", "i8"),  # core cycle when something happens by itself, or NEVER
        ("unmodelled", "i8"),  # offset and kind of the access that stopped the machine
        ("unmodelled_write", "i8"),
        # --- interrupt controller: [0] sources 63-32, [1] sources 31-0
        ("lines", "i8", (2,)),  # requests of the devices
        ("mask", "i8", (2,)),
        ("force", "i8", (2,)),
        ("icr", "i8", (SOURCES,)),
        ("iacklpr", "i8"),
        ("level", "i8"),  # the highest level requested, 0 = none
        ("edge7_taken", "i8"),  # level 7 is an edge: acknowledged, and not gone since
        # --- the others
        ("slice", SLICE_TIMER_DTYPE, (SLICE_TIMERS,)),
        ("psc", PSC_DTYPE, (PSCS,)),
        ("gpt_mode", "i8", (GPTS,)),
        ("gpt_count", "i8", (GPTS,)),
        ("pin_levels", "i8"),  # edge port: what the pins 7-1 are at
        ("eport", "i8", (5,)),  # EPPAR, EPDDR, EPIER, EPDR, EPFR
        ("pins", "u1", (PINS,)),
        # --- what PSC0 has sent and the host has not taken yet
        ("console", "i8"),
        ("console_size", "i8"),
        ("console_count", "i8"),
        # --- mailbox
        ("arguments", "i8", (MAILBOX_ARGS,)),
        ("call_number", "i8"),
        ("call_pending", "i8"),  # 1: waiting for the host, 2: answered
        ("call_status", "i8"),
        ("operation_start", "i8", (MAX_OPERATIONS,)),
        # Operations that have ended and the host has not taken yet: (number, cycles) each.
        ("ended", "i8"),
        ("ended_size", "i8"),
        ("ended_count", "i8"),
    ]
)
