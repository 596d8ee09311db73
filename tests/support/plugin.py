"""pytest with this package's plugin, in a process of its own or in a test's (pytester)."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = {"cfemu": "emu.pytest_plugin", "cfemu-kernel": "kernel_model.pytest_plugin"}

# An environment that was made before the plugin was registered does not load it: then it is asked for.
missing = [module for name, module in PLUGINS.items() if name not in entry_points(group="pytest11").names]
ARGUMENTS = [argument for module in missing for argument in ("-p", module)]


def run_pytest(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``pytest ARGUMENTS`` in ``directory``, with these sources and nothing of this suite's configuration."""
    command = [sys.executable, "-m", "pytest", *ARGUMENTS, "-p", "no:cacheprovider", *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    variables |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, check=False)
