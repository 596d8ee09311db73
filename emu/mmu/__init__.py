"""The ColdFire V4e MMU as the manual tells it: pure compiled functions on one record, without a CPU core.

Reading order: ``registers`` (every bit), ``state`` (what the MMU remembers), ``plru`` (which entry goes), ``tlb``
(which entry answers), ``attributes`` (who answers for an address), ``window`` and ``movec`` (what software can do to
it), ``warn`` (what it had better not do), ``api`` (the same for callers in Python), ``dump`` (both TLBs as text).
"""
