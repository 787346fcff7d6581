"""A page that blocks the loop, and the same page that does not. Run it: eyewall run examples/howto/blocked.py"""

import subprocess

from eyewall.guard.executors import configure, executor
from eyewall.web import Application, RequestHandler

configure("pictures", workers=2, queue=20, full="reject")


def shrink(name: str) -> str:
    # Stands for a program that makes a small picture of a large one.
    subprocess.run(["sleep", "0.6"], check=True)
    return f"small-{name}"


class Blocking(RequestHandler):
    def get(self, name: str) -> None:
        self.write(shrink(name) + "\n")


class Waiting(RequestHandler):
    async def get(self, name: str) -> None:
        self.write(await executor("pictures").run(shrink, name) + "\n")


app = Application([("/blocking/(.*)", Blocking), ("/waiting/(.*)", Waiting)])
