"""TLB misses under test: what was measured, what was accepted before, and in words what has changed between them.

Reading order: ``misses`` (a measurement, and the log of its misses), ``explain`` (what differs, and why as far as the
log tells), ``baseline`` (the files in which measurements are accepted), ``measure`` and ``results`` (measurements of
machines, counters, traces and result files), ``cli`` (``cfemu check`` and ``cfemu diff``). :mod:`emu.pytest_plugin`
does the same for pytest. Counts are exact: nothing here has a tolerance.
"""
