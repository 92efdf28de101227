"""Who takes the next step: the model (free) or the harness (guided), over the same loop and tools."""
