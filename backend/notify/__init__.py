"""Messages to people: written with the alert, sent by the worker."""
