"""Relay: forwards messages, as its configuration file says."""
