"""Where an instance is worked on and graded, each kind behind one protocol."""
