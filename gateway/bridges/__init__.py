"""How bytes reach the gateway: ports, radios, and the frames of our own firmware."""
