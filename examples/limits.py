"""Limits of its own. Run it: eyewall run examples/limits.py"""

from eyewall.guard import NATIVE
from eyewall.web import Application, RequestHandler

PROFILE = NATIVE.replace(body_bytes=1024 * 1024, head_timeout=5.0, connections=10_000)


class Echo(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


app = Application([("/echo", Echo)], profile=PROFILE)
