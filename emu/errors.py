"""Every error the product raises on purpose.

::

    CfemuError
    +-- UsageError              the user's input is wrong: one line, exit status 2, no traceback
    |   +-- ElfError            (emu.elf)
    |   +-- BoardError
    |   +-- ScenarioError       (kernel_model.scenario)
    +-- GuestError              the guest cannot go on: one line, plus its state
        +-- DoubleFault         a fault while an exception was being processed (sheet 3.6: the core halts)
        +-- UnhandledException  an exception whose vector is 0
        +-- UndefinedRegister   MOVEC to a number that the V4e does not have
        +-- UnmodelledRegister  a peripheral register that nothing models was accessed (strict machines only)
        +-- UnsupportedFeature  legal on hardware, not modelled; never ignored quietly
    +-- EngineError             unicorn or the engine itself is in a state that cannot be trusted
"""

__all__ = [
    "BoardError",
    "CfemuError",
    "DoubleFault",
    "EngineError",
    "GuestError",
    "UndefinedRegister",
    "UnhandledException",
    "UnmodelledRegister",
    "UnsupportedFeature",
    "UsageError",
]


class CfemuError(Exception):
    """Base of all errors of this project; ``str()`` is one line."""


class UsageError(CfemuError):
    """Bad input from the user."""


class BoardError(UsageError):
    """A board is unknown, or its memory map contradicts itself."""


class GuestError(CfemuError):
    """The guest did something fatal; ``state`` is its multi-line register dump at that moment."""

    def __init__(self, message: str, state: str = "") -> None:
        super().__init__(message)
        self.state = state


class DoubleFault(GuestError):
    """A fault while another exception was being processed; the core halts (CF4UM 7-5; 548xRM 3-39)."""


class UnhandledException(GuestError):
    """An exception was taken whose entry in the vector table is 0: the guest has no handler for it."""


class UndefinedRegister(GuestError):
    """MOVEC named a control register that the V4e does not have (5407UM 2-34: the result is undefined)."""


class UnmodelledRegister(GuestError):
    """A peripheral register that nothing models was accessed on a machine that is strict about it."""


class UnsupportedFeature(GuestError):
    """The guest relied on something that the hardware has and this model has not."""


class EngineError(CfemuError):
    """The CPU core returned something that no documented event explains."""
