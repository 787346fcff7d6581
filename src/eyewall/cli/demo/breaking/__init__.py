"""The page 'Break it': which faults there are, what runs them, and what looks at the demo from beside it."""
