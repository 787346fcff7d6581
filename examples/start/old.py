import asyncio

import tornado.options
import tornado.web

tornado.options.define("port", default=8000)


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("Hello from a Tornado program\n")


async def main() -> None:
    tornado.options.parse_command_line()
    port = tornado.options.options.port
    tornado.web.Application([("/", Hello)]).listen(port, "127.0.0.1")
    print(f"listening on port {port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
