"""Running a repository's own tests: the command, the runners, their results."""
