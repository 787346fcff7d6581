"""Granian with a raw ASGI application."""

from common import options
from granian_common import serve

if __name__ == "__main__":
    serve("asgi_app:app", "asginl", options().port)
