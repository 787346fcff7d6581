"""uvicorn with a raw ASGI application."""

from asgi_app import app
from common import options
from uvicorn_common import serve

serve(app, options().port)
