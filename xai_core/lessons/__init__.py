"""How each method is taught."""
