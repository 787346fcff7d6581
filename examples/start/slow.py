import time

from eyewall.web import Application, RequestHandler


def load() -> list[int]:
    time.sleep(1)
    return [1, 2, 3]


class Report(RequestHandler):
    def get(self) -> None:
        self.write({"rows": load()})


app = Application([("/report", Report)])
