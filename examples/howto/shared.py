"""A rate limit that all processes share. Run it, with a Redis:

REDIS_URL=redis://127.0.0.1:6379/0 eyewall run examples/howto/shared.py --processes 2
"""

import os

from eyewall.guard import SharedRateLimit
from eyewall.web import Application, RequestHandler, url

SEARCHES = SharedRateLimit(0.01, 3, os.environ["REDIS_URL"], name="search", timeout=2.0)


class Search(RequestHandler):
    def get(self) -> None:
        self.write("nothing found\n")


app = Application([url("/search", Search).limited(rate=SEARCHES)])
