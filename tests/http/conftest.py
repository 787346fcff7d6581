"""Settings of the property tests: how long an example takes on a busy machine says nothing."""

from hypothesis import settings

settings.register_profile("eyewall", deadline=None)
settings.load_profile("eyewall")
