"""The kernel under study: strategies of its heap, compared on the machine. docs/api.md tells what may be relied on.

::

    from kernel_model import compare, sweep

    compare(strategies=["reserve", "slab"], mappings=["acr"])           # a table in a notebook
    sweep({"axes": {"strategy": ["slab"], "tlb": [16, 32, 64]}}).to_pandas()
"""

from emu.lazy import attribute_getter

TYPE_CHECKING = False  # as type checkers know it; typing takes time in which Ctrl-C is not heard yet
if TYPE_CHECKING:
    from kernel_model.comparison import Comparison, compare
    from kernel_model.results import Report, Row
    from kernel_model.scenario import Scenario
    from kernel_model.sweeps.api import Sweep, sweep

__all__ = ["Comparison", "Report", "Row", "Scenario", "Sweep", "compare", "sweep"]

_HOMES = {
    "Comparison": "kernel_model.comparison",
    "Report": "kernel_model.results",
    "Row": "kernel_model.results",
    "Scenario": "kernel_model.scenario",
    "Sweep": "kernel_model.sweeps.api",
    "compare": "kernel_model.comparison",
    "sweep": "kernel_model.sweeps.api",
}

if not TYPE_CHECKING:  # which would take any name for one of ours
    __getattr__ = attribute_getter(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
