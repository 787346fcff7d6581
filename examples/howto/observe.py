"""One request in logs, metrics and traces. Run it: eyewall run examples/howto/observe.py --metrics 127.0.0.1:9100"""

import logging

from eyewall.client import AsyncHTTPClient
from eyewall.doctor import tracing
from eyewall.web import Application, RequestHandler

tracing.enable()


class Stock(RequestHandler):
    def get(self, article: str) -> None:
        logging.info("counted %s", article)
        self.write("7 left\n")


class Shop(RequestHandler):
    async def get(self, article: str) -> None:
        logging.info("asked for %s", article, extra={"article": article})
        response = await AsyncHTTPClient().fetch(f"http://{self.request.host}/stock/{article}")
        self.write(response.body)


app = Application([("/stock/(.*)", Stock), ("/shop/(.*)", Shop)])
