"""The agent: a loop over a model and tools, its record and its commands; no screen."""
