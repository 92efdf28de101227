"""What a model may do to a workspace: read, search, edit, run, test.

Knows files, processes and syntax trees. Must not know models, prompts, the loop or any screen.
"""
