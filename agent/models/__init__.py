"""Models behind one protocol: local weights, servers, APIs, scripts."""
