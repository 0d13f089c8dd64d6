"""What a visit found: the forms of the 规范, what follows from them, and the signed record."""
