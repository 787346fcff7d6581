"""What the guard holds off, measured: undisturbed and disturbed."""
