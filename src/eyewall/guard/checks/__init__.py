"""Whether the process is well: checks, their registry and report, the loop's heartbeat, systemd."""
