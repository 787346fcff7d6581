"""The version of Eyewall, and the version of Tornado whose API it offers."""

VERSION = "0.1.0"
TORNADO_API_VERSION = "6.6.1"
