"""Time limits for work: deadlines that travel with the context, and what is said when they pass."""
