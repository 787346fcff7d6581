"""The page of an error in debug mode; loaded when there is one to show."""
