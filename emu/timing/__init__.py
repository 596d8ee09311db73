"""Cycles: what each instruction costs on the V4e, each number with its source (hardware sheet, section 4)."""
