"""Systems that push signed events into the inbox."""
