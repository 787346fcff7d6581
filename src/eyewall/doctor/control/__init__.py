"""Asking a process that runs the doctor, from outside: over a Unix socket that only its user can reach."""
