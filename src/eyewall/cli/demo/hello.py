import asyncio

from eyewall.web import Application, RequestHandler


class Hello(RequestHandler):
    def get(self, name: str) -> None:
        self.write({"hello": name})


async def main() -> None:
    Application([(r"/hello/(\w+)", Hello)]).listen(8080)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
