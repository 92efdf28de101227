"""What a conversation is shown as: blocks, their values and their widgets."""
