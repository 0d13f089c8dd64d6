"""Simulated homes: elders, what their devices sense, the bytes that leave on a serial line, and the faults on the way."""
