"""From a patch and the log of its tests to a verdict, as the official harness comes to it.

Must not know where tests are run.
"""
