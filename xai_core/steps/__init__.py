"""How a method came to its map, as a film: one file a method. Each file is discovered."""
