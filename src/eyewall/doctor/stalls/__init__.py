"""What blocks the loop: a watchdog in a thread of its own, and what it makes of the stacks that it sees."""
