"""What answers requests, a file for each part of the demo."""
