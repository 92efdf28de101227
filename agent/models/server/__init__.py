"""Models that a server answers for: OpenAI's chat completions, and Ollama's own API."""
