"""The core: what an explanation is, what it needs of a model, and the methods that make one."""
