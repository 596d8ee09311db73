"""``python -m emu``: the machine's own commands, without the kernel model (``cfemu`` has both)."""

import sys

from emu.cli import execute, new_app, prepare_streams, register

if __name__ == "__main__":
    prepare_streams()
    app = new_app("The ColdFire V4e machine.", is_whole=True)
    register(app)
    sys.exit(execute(app))
