"""What Hypothesis draws: in the suite always the same, so that a failure is one for everybody; with --all at random."""

from hypothesis import HealthCheck, settings

PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""Time on a busy machine says nothing about the code."""


def pytest_configure(config):
    settings.register_profile("suite", derandomize=True, **PATIENT)
    settings.register_profile("long", **PATIENT)
    settings.load_profile("long" if config.getoption("--all") else "suite")
