"""A long response, written as fast as the client takes it. Run it: eyewall run examples/download.py"""

from eyewall.net.errors import StreamClosedError
from eyewall.web import Application, RequestHandler


class Numbers(RequestHandler):
    async def get(self, count: str) -> None:
        self.set_header("Content-Type", "text/csv; charset=UTF-8")
        try:
            for number in range(int(count)):
                self.write(f"{number},{number * number}\n")
                if number % 1000 == 999:
                    await self.flush()
        except StreamClosedError:
            # The client has left; nothing can be told to it.
            return


app = Application([("/numbers/([0-9]{1,7})[.]csv", Numbers)])
