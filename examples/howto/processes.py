"""Several processes, each with its own variables. Run it: eyewall run examples/howto/processes.py --processes 2"""

import os

from eyewall.web import Application, RequestHandler


class Where(RequestHandler):
    visits = 0

    def get(self) -> None:
        # Each process has a counter of its own.
        Where.visits += 1
        self.write(f"process {os.getpid()}, visit {Where.visits}\n")


app = Application([("/", Where)])
