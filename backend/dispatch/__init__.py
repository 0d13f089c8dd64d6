"""Visits: a doctor is asked, accepts, goes, and records what was found."""
