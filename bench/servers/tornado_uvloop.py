"""Tornado on uvloop: the same program on another loop."""

import asyncio
import runpy
from pathlib import Path

import uvloop

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
runpy.run_path(str(Path(__file__).with_name("tornado_app.py")), run_name="__main__")
