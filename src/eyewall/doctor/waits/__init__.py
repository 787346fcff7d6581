"""What will never finish: chains of awaits, who holds what, and the circles among them."""
