"""The wall: sandboxed processes that hold the models, and the client that talks to them."""
