"""Settings of the whole suite: property tests repeat exactly, so that a red run can be run again."""

from hypothesis import HealthCheck, settings

from tests.support.plugin import missing

pytest_plugins = ["pytester", *missing]  # our own plugin as everybody has it

settings.register_profile(
    "cfemu",
    derandomize=True,  # same examples on every machine: counts are compared bit for bit here
    deadline=None,  # the first call of a compiled function compiles it
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cfemu")
