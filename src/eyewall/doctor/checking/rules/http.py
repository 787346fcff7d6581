"""EW202: HTTP requests that the loop's thread waits for."""

from __future__ import annotations

from eyewall.doctor.checking.problem import RuleInfo
from eyewall.doctor.checking.rules.blockingrule import BlockingRule
from eyewall.doctor.finding import Severity

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")


class BlockingHttp(BlockingRule):
    """A synchronous HTTP client in code that runs in the loop."""

    about = RuleInfo(
        "EW202",
        "blocking-http",
        Severity.ERROR,
        "The loop's thread waits for another server, and with it everybody else does.",
        "Use an asynchronous client, await AsyncHTTPClient().fetch(...), or a thread: await asyncio.to_thread(...).",
        ("ASYNC210", "ASYNC212", "ASYNC100"),
    )
    calls = frozenset(
        {
            *(f"{package}.{verb}" for package in ("requests", "httpx") for verb in _VERBS),
            *(
                f"{client}.{verb}"
                for client in ("requests.Session", "httpx.Client")
                for verb in (*_VERBS, "send")
            ),
            "httpx.stream",
            "httpx.Client.stream",
            "urllib.request.urlopen",
            "urllib.request.urlretrieve",
            "urllib3.request",
            "urllib3.PoolManager.request",
            "urllib3.PoolManager.urlopen",
            "http.client.HTTPConnection.request",
            "http.client.HTTPConnection.getresponse",
            "http.client.HTTPSConnection.request",
            "http.client.HTTPSConnection.getresponse",
            "tornado.httpclient.HTTPClient",
            "tornado.httpclient.HTTPClient.fetch",
        }
    )
