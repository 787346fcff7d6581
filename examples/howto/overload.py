"""Clients that do not read, and more requests than there is room for. Run it: eyewall run examples/howto/overload.py"""

import asyncio

from eyewall.guard import RequestLimit
from eyewall.web import Application, RequestHandler, url

ROW = b"x" * 65535 + b"\n"
REPORTS = RequestLimit("reports", 2, queue=2, patience=0.5)


class Export(RequestHandler):
    async def get(self) -> None:
        for _ in range(200):
            self.write(ROW)
            self.flush()
            await asyncio.sleep(0.05)


class PatientExport(RequestHandler):
    async def get(self) -> None:
        for _ in range(200):
            self.write(ROW)
            # Waits while the client is behind.
            await self.flush()


class Report(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(1.0)
        self.write("report\n")


app = Application(
    [
        ("/export", Export),
        ("/patient", PatientExport),
        url("/report", Report).limited(REPORTS),
    ]
)
