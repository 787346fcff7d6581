"""Tornado's `tornado.autoreload`."""

import signal as signal

from eyewall.loop.autoreload import add_reload_hook as add_reload_hook, main as main, start as start
from eyewall.loop.autoreload import restart as _reload  # noqa: F401
from eyewall.loop.autoreload import wait as wait, watch as watch

if __name__ == "__main__":
    main()
