"""Who is let in, who waits and who is refused: connections, requests in flight, rates."""
