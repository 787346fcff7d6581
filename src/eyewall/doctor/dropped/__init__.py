"""What was dropped: coroutines never run, exceptions that nobody reads, cancellations that are swallowed."""
