"""What all tests share: hypothesis judges what the code does, never how fast this machine happens to be."""

from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
