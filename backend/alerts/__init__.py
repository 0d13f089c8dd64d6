"""Alerts: the lasting thing that an operator works on."""
