"""The peripherals behind MBAR, and the mailbox of ours: pure compiled functions over one record, without unicorn.

Time is virtual and passed in: ``now`` is always the core cycle of the access or event.
"""
