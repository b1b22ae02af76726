"""The page on the LSTM: a network that remembers, trained in front of the reader."""

from ui import lstm_page

lstm_page.show()
