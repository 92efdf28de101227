"""A repository's symbols, their words and their references, searchable from disk."""
