"""`eyewall run --metrics`: at a path, on an address, of several processes."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .program import Program, write_app

FREE = ("--port", "0")

APP = """
from eyewall.web import Application, RequestHandler

class Hello(RequestHandler):
    def get(self, name):
        self.write(name)

app = Application([("/hello/(.*)", Hello)])
"""


def get(port: int, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def hellos(text: str) -> float:
    """Returns how many requests to the only route a scrape tells of."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "eyewall_http_requests_total" and sample.labels["route"] == "/hello/(.*)"
    )


def scrape_ports(program: Program) -> list[int]:
    return [
        int(port) for port in re.findall(r"Metrics are at http://127\.0\.0\.1:(\d+)/metrics", program.output)
    ]


def test_at_a_path(tmp_path: Path) -> None:
    write_app(tmp_path, APP)
    env = {"EYEWALL_METRICS_TOKEN": "sesame"}
    with Program(tmp_path, "app:app", *FREE, "--metrics", "/_/metrics", env=env) as program:
        port = program.port()
        assert get(port, "/hello/you") == (200, "you")
        assert get(port, "/_/metrics")[0] == 401
        status, text = get(port, "/_/metrics", Authorization="Bearer sesame")
        assert (status, hellos(text)) == (200, 1)
        assert program.stop() == 0
        assert "/_/metrics" not in program.output


def test_on_an_address(tmp_path: Path) -> None:
    write_app(tmp_path, APP)
    with Program(tmp_path, "app:app", *FREE, "--metrics", "127.0.0.1:0") as program:
        port = program.port()
        [scrapes] = scrape_ports(program)
        get(port, "/hello/you")
        assert get(port, "/metrics")[0] == 404
        status, text = get(scrapes, "/metrics")
        assert (status, hellos(text)) == (200, 1)
        # A page of another name that leads here.
        assert get(scrapes, "/metrics", Host="rebound.example")[0] == 401
        assert program.stop() == 0


def test_each_process_on_its_own(tmp_path: Path) -> None:
    write_app(tmp_path, APP)
    with Program(tmp_path, "app:app", *FREE, "--metrics", "127.0.0.1:0", "--processes", "2") as program:
        port = program.port()
        ports = scrape_ports(program)
        assert len(set(ports)) == 2
        for _ in range(10):
            assert get(port, "/hello/you")[0] == 200
        assert sum(hellos(get(each, "/metrics")[1]) for each in ports) == 10
        assert program.stop() == 0
