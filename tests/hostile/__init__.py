"""Files made to hurt, and files that were hurt, sent through the real wall."""
