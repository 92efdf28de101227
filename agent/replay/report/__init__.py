"""The report of one or several replays: a table, Markdown, JSON, one HTML page.

Must not know how a replay is run.
"""
