"""The page on the MLP: train it, watch its units, branch it."""

from ui import mlp_page

mlp_page.show()
