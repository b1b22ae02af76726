"""The methods, one a file. Each file that does not begin with an underscore is discovered."""
