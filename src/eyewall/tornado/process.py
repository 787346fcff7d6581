"""Tornado's `tornado.process`."""

from eyewall.loop.process import CalledProcessError as CalledProcessError
from eyewall.loop.process import cpu_count as cpu_count, fork_processes as fork_processes, task_id as task_id
from eyewall.net.subprocess import Subprocess as Subprocess
