"""A handler writes to SQLite while somebody else has locked the database, and waits for that in the loop."""

# under: eyewall, tornado

import asyncio
import os
import sqlite3
import tempfile

import tornado.httpclient
import tornado.httpserver
import tornado.testing
import tornado.web


class VoteHandler(tornado.web.RequestHandler):
    def post(self):
        database = sqlite3.connect(self.application.settings["path"], timeout=3)
        try:
            database.execute("INSERT INTO votes VALUES (1)")  # finding: loop-blocked-io
        except sqlite3.OperationalError as error:
            self.write(str(error))
        database.close()


async def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "votes.db")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("CREATE TABLE votes (vote)")
        other.execute("BEGIN EXCLUSIVE")
        server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", VoteHandler)], path=path))
        sock, port = tornado.testing.bind_unused_port()
        server.add_socket(sock)
        client = tornado.httpclient.AsyncHTTPClient()
        await client.fetch(f"http://127.0.0.1:{port}/", method="POST", body=b"")
        await asyncio.sleep(2)
        other.close()


if __name__ == "__main__":
    asyncio.run(main())
