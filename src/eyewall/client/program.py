"""`python -m tornado.httpclient URL…`: requests URLs and prints what comes."""

from __future__ import annotations

import sys

from eyewall.base.optionparser import OptionParser
from eyewall.client.blocking import HTTPClient
from eyewall.client.request import HTTPClientError, HTTPResponse


def main() -> None:
    """Requests each URL of the command line, and prints headers and body as its options say.

    Ends the program with status 1 where one of them got no response.
    """
    parser = OptionParser()
    parser.define("print_headers", type=bool, default=False, help="print the header fields")
    parser.define("print_body", type=bool, default=True, help="print the body")
    parser.define("follow_redirects", type=bool, default=True, help="follow redirects")
    parser.define("validate_cert", type=bool, default=True, help="verify the server's certificate")
    parser.define("proxy_host", type=str, help="the proxy to go through")
    parser.define("proxy_port", type=int, help="its port")
    urls = parser.parse_command_line()
    failed = False
    with HTTPClient() as client:
        for url in urls:
            try:
                response = client.fetch(
                    url,
                    raise_error=False,
                    follow_redirects=parser.follow_redirects,
                    validate_cert=parser.validate_cert,
                    proxy_host=parser.proxy_host,
                    proxy_port=parser.proxy_port,
                )
            except (HTTPClientError, OSError, ValueError) as error:
                print(f"{url}: {error}", file=sys.stderr)
                failed = True
                continue
            _show(response, parser.print_headers, parser.print_body)
    if failed:
        sys.exit(1)


def _show(response: HTTPResponse, headers: bool, body: bool) -> None:
    if headers:
        print(f"{response.code} {response.reason}")
        print(response.headers)
    if body:
        print(response.body.decode("utf-8", "replace"))
