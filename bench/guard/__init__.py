"""What the guard costs, and what it holds off: undisturbed and disturbed."""
