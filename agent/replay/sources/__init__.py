"""Where instances come from: files and sets of several formats."""
