"""Replaying benchmark tasks: instances, environments, grading, runs, statistics, the report.

Must not know a screen, nor how an agent works.
"""
