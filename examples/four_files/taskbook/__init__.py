"""A list of tasks in the terminal."""
