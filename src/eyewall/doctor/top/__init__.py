"""A live view of a process that runs the doctor: what is asked of it, what is shown of that, and the terminal."""
