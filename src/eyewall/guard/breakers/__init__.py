"""Calls to what may fail: circuit breakers, bulkheads, retries, and all of them in one policy."""
