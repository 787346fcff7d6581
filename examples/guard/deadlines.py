"""Time for requests, and for what they wait for. Run it: eyewall run examples/guard/deadlines.py

Try /report?seconds=1, /report?seconds=60, and curl -H 'X-Request-Timeout: 0.5' …/report?seconds=1.
"""

import asyncio

from eyewall.guard import DeadlineExceeded, remaining, timeout
from eyewall.web import Application, RequestHandler


async def compute(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return f"computed with {remaining():.0f} s left\n"


class Report(RequestHandler):
    REQUEST_TIMEOUT = 10.0

    async def get(self) -> None:
        self.write(await compute(float(self.get_argument("seconds"))))

    @timeout(2.0)
    async def post(self) -> None:
        self.write(await compute(float(self.get_argument("seconds"))))


class Patient(RequestHandler):
    async def get(self) -> None:
        try:
            async with timeout(0.1):
                text = await compute(60.0)
        except DeadlineExceeded:
            text = "not computed\n"
        self.write(text)


def too_late(handler: RequestHandler, error: DeadlineExceeded) -> None:
    handler.set_header("Retry-After", "5")
    handler.write({"error": "this took too long"})


app = Application(
    [("/report", Report), ("/patient", Patient)],
    request_timeout=30.0,
    trust_request_timeout=True,
    on_timeout=too_late,
)
