"""A game moves each of its pieces in a callback of its own, and each asks for the next move at once."""

# under: eyewall, tornado

import asyncio

import tornado.ioloop


class Piece:
    moves = 0

    def move(self):  # finding: loop-starved
        sum(range(20_000))
        Piece.moves += 1
        if Piece.moves < 60_000:
            tornado.ioloop.IOLoop.current().add_callback(self.move)  # finding: loop-starved


async def main():
    for _ in range(5_000):
        Piece().move()
        if Piece.moves % 100 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(8)


if __name__ == "__main__":
    asyncio.run(main())
