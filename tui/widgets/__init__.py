"""The parts of the session's screen."""
