"""How a process starts and ends: hooks, tasks with an owner, the drain."""
