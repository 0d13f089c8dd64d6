"""The C code of the bridges, through ctypes and as a program on a pty."""
