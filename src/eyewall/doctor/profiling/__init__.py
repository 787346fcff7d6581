"""Where the time goes: what was recorded of a process, from outside or inside, and how it is told."""
