"""Metrics, and where the time of requests goes. Run it: eyewall run examples/doctor/metrics.py --metrics :9100

curl -s http://127.0.0.1:8000/report/7
curl -s http://127.0.0.1:9100/metrics | grep eyewall_http
"""

import asyncio
import time

from prometheus_client import Counter

from eyewall.doctor.metrics import metrics_routes
from eyewall.doctor.timing import route_times
from eyewall.web import Application, RequestHandler

reports = Counter("reports", "Reports that were made.")


class Report(RequestHandler):
    async def get(self, number: str) -> None:
        await asyncio.sleep(0.02)
        reports.inc()
        self.write({"report": int(number)})


class Times(RequestHandler):
    def get(self) -> None:
        for times in route_times():
            parts = ", ".join(
                f"{name} {seconds:.3f} s" for name, seconds in times.phases().items() if seconds
            )
            self.write(f"{times.route}: {times.count} requests, {parts}\n")


class Slow(RequestHandler):
    def get(self) -> None:
        time.sleep(0.06)  # eyewall: ignore[EW201] - the fault
        self.write("That has held up everybody.\n")


# For scrapes at a path of the application's own; `--metrics` needs no such route.
app = Application(
    [
        (r"/report/(\d+)", Report),
        ("/times", Times),
        ("/slow", Slow),
        *metrics_routes(token="sesame"),
    ]
)
