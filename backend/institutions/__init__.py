"""Institutions of medical care and care for the elderly: the directory behind the map."""
