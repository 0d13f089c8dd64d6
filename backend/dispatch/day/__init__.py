"""A team's day: which visits are due, the plan made from them, and its changes."""
