"""A handler raises a number to a power, with millions of digits, in one call of C."""

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


class KeyHandler(RequestHandler):
    def get(self) -> None:
        base, exponent = 7, int(self.get_argument("strength"))
        key = base**exponent  # finding: loop-blocked-native
        self.write(str(key % 1_000_000_007))


routes = [("/key", KeyHandler)]


async def press(customers: Customers) -> None:
    await customers.get("/key?strength=4000000")
