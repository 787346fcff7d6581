"""A handler checks a name against a regular expression that tries everything there is, in one call of C."""

import re

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class NameHandler(RequestHandler):
    def post(self) -> None:
        name = self.request.body.decode()
        if re.fullmatch(r"(\w+\s?)*", name) is None:  # finding: loop-blocked-native
            self.write("that is no name")


routes = [("/name", NameHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/name", b"a" * 24 + b"!")
