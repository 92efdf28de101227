"""Who takes the next step: the model (free) or the harness (guided), over one loop and tools."""
