"""The recognisers of known networks, one a file; `loaders.recognise` makes a table of them."""
