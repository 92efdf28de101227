"""The screen: an interactive session in the terminal, made with Textual.

Knows `agent` and `tools`; is known by `agent.cli` alone. Widgets take events and post messages:
they hold no logic of the agent's.
"""
