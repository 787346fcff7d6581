"""One request through two services, as spans of OpenTelemetry. Run it: python examples/doctor/tracing.py"""

import asyncio

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from eyewall.client import AsyncHTTPClient
from eyewall.doctor import tracing
from eyewall.http import HTTPServer
from eyewall.net import bind_sockets
from eyewall.web import Application, RequestHandler


class Stock(RequestHandler):
    def get(self, article: str) -> None:
        self.write({"article": article, "left": 3})


class Shop(RequestHandler):
    def initialize(self, stock: str) -> None:
        self.stock = stock

    async def get(self, article: str) -> None:
        response = await AsyncHTTPClient().fetch(f"{self.stock}/left/{article}")
        self.write(response.body)


def serve(application: Application) -> str:
    """Serves it in this process, at any free port; returns its URL."""
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(application).add_sockets(sockets)
    return f"http://127.0.0.1:{sockets[0].getsockname()[1]}"


async def main() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.enable(provider=provider)

    stock = serve(Application([(r"/left/(\w+)", Stock)]))
    shop = serve(Application([(r"/article/(\w+)", Shop, {"stock": stock})]))
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await AsyncHTTPClient().fetch(f"{shop}/article/tea", headers={"traceparent": parent})

    for span in exporter.get_finished_spans():
        print(f"{span.kind.name.lower()}: {span.name}")


if __name__ == "__main__":
    asyncio.run(main())
