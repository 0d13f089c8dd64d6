"""Rules: what is judged, and the pure functions that judge."""
