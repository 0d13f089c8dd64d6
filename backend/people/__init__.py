"""Elders, contacts, teams, doctors, shifts, contracts, homes, accounts."""
