"""An extension of the tests' own: tasks that hold a fake model, and every way to misbehave."""
