"""Stored readings: segments, the cursor that makes each count once, windows for rules."""
