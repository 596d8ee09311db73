"""Side-by-side measurements, in one run: what exactness costs against the bare CPU core, and how long starting takes.

Only ratios of interleaved repeats mean something on a shared machine, so that is what the tables lead with.
"""
