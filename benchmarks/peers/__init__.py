"""Our gateway beside thingsboard-gateway: the same load, network, cloud and faults for both, one after the other in one run.

    load ── serial lines (ours) or MQTT broker (the peer) ──► gateway ──► network that can be cut ──► broker ──► cloud

Load and cloud are processes of their own that meet in a ledger: when each message was sent, accepted and received. A message carries three
values of one device and its own number; only with all three it counts as received.
"""
