"""The tiers behind `tools.sandbox`, one module each, and what they have in common."""
