"""A library's catalogue: books, and listings of them in pages."""
