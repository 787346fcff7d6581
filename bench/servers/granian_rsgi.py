"""Granian with a raw RSGI application."""

import os

from common import options
from granian_common import serve

if __name__ == "__main__":
    arguments = options()
    os.environ["BENCH_STATIC"] = str(arguments.static)
    serve("rsgi_app:app", "rsgi", arguments.port)
