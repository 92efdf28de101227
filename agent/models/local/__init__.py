"""The local model: llama.cpp in a process of its own, driven over pipes."""
