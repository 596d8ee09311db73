"""Sweeps: the product of axes as one table, one row a run, that SQL can ask and that each row can be repeated from."""
