"""A dashboard below a path of an application, behind a token. Run it:

EYEWALL_DASHBOARD_TOKEN=correct-horse-battery eyewall run examples/doctor/dashboard.py
open http://127.0.0.1:8000/ops/dashboard/ and enter the token; then http://127.0.0.1:8000/report/7, and look
"""

import asyncio

from eyewall.doctor.dashboard import dashboard_rules
from eyewall.web import Application, RequestHandler


class Report(RequestHandler):
    async def get(self, number: str) -> None:
        await asyncio.sleep(0.5)
        self.write({"report": int(number)})


# Without a token in the environment, there are no such routes.
app = Application(
    [
        (r"/report/(\d+)", Report),
        *dashboard_rules("/ops/dashboard"),
    ]
)
