"""How many examples hypothesis tries: few in the quick form and always the same, many at night.

An ordinary run must give the same result each time, whatever the machine and its load; what nobody
has thought of is looked for by `./do nightly`, with other examples each time.
"""

from hypothesis import HealthCheck, settings

_QUICK, _NIGHTLY = 25, 500

# No deadline and no health checks: how long an example takes says how busy the machine is.
_COMMON = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
settings.register_profile("quick", _COMMON, max_examples=_QUICK, derandomize=True)
settings.register_profile("nightly", _COMMON, max_examples=_NIGHTLY)


def examples(quick: int, **more: int) -> settings:
    """Settings for a test that needs another number of examples than most.

    Args:
        quick: how many in the quick form; at night as many times more as for all tests.
        more: further settings, such as `stateful_step_count`.
    """
    count = quick * settings.default.max_examples // _QUICK
    return settings(max_examples=count, **more)
