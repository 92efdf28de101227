"""Changing a file's text: whole definitions put in place, checked and reported."""
