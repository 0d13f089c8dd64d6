"""The Bluetooth radio: a central for devices that speak the health profiles, on bumble over a controller (HCI) of its own.

    keyring.py   what is kept: our identity, who is enrolled, the bonds
    words.py     the lines that the radio and its driver (devices/bluetooth.py) say to each other
    visit.py     one connection to one device, step by step
    radio.py     the thread: opens the controller, listens for enrolled devices, begins visits
    pairing.py   search and pair, for `python -m gateway pair`

Only these files import bumble, and they are imported only where the configuration has a [bluetooth] section: bumble takes 20 MB of memory.
"""
