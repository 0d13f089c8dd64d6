"""Simulated Bluetooth health devices and a simulated dongle. `python -m simulators bluetooth LINK` puts one of each into the air."""
