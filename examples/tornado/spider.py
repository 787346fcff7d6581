"""Follows the links of a site, several pages at a time, and says what it found.
Run it: python -m eyewall.tornado examples/tornado/spider.py http://127.0.0.1:8888/"""

import asyncio
import html.parser
import sys
from urllib.parse import urldefrag, urljoin, urlsplit

import tornado.httpclient
import tornado.queues
from tornado.options import define, options, parse_command_line

define("workers", default=8, type=int, help="pages that are fetched at once")
define("limit", default=1000, type=int, help="pages after which it stops")


class Links(html.parser.HTMLParser):
    """The addresses that a page refers to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


class Spider:
    def __init__(self, start):
        self.site = urlsplit(start)[:2]
        self.client = tornado.httpclient.AsyncHTTPClient()
        self.known = set()
        self.queue = tornado.queues.Queue()
        self.results = {}
        self.add(start, "")

    def add(self, base, link):
        try:
            url = urldefrag(urljoin(base, link)).url
            inside = urlsplit(url)[:2] == self.site
        except ValueError:
            # Pages have links that are none.
            return
        if inside and url not in self.known and len(self.known) < options.limit:
            self.known.add(url)
            self.queue.put_nowait(url)

    async def work(self):
        async for url in self.queue:
            try:
                self.results[url] = await self.visit(url)
            finally:
                self.queue.task_done()

    async def visit(self, url):
        """Returns what became of a page: its status, or why there is none."""
        try:
            response = await self.client.fetch(url, raise_error=False, request_timeout=20)
        except (tornado.httpclient.HTTPError, OSError, ValueError) as error:
            return type(error).__name__
        if response.headers.get("Content-Type", "").startswith("text/html"):
            links = Links()
            links.feed(response.body.decode("utf-8", "replace"))
            for link in links.found:
                # After a redirect, links are meant from where it led to.
                self.add(response.effective_url, link)
        return response.code

    async def run(self):
        workers = [asyncio.create_task(self.work()) for _ in range(options.workers)]
        await self.queue.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def main(start):
    spider = Spider(start)
    await spider.run()
    for url, outcome in sorted(spider.results.items()):
        print(outcome, url)


if __name__ == "__main__":
    arguments = parse_command_line()
    if len(arguments) != 1:
        sys.exit("Which site?")
    asyncio.run(main(arguments[0]))
