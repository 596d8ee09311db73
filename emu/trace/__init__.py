"""Traces: what a machine's MMU saw, kept in a file, and every question that can be asked of it without the machine.

Reading order: ``events`` (what is recorded), ``format`` (the file), ``replay`` and its compiled half (``layout``,
``books``, ``access``, ``refills``, ``kernel``: the recorded accesses through :mod:`emu.mmu`, on this TLB or another),
``pages`` (plain page streams: faster, without the V4e's particulars), ``explain`` (why it missed), ``imports`` and
``exports`` (the neighbouring tools' formats), ``tables`` and ``cli``.

Nothing here knows unicorn or the machine: a recorder hands :class:`emu.trace.format.TraceWriter` arrays of events.
"""
