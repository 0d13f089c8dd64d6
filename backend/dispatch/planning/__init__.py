"""The plan of the day: which doctor makes which visit in which half-day, in which order. Pure: no clock but the one handed in, no I/O."""
