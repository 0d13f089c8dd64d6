"""Cases: what people work on. A case gathers related alerts of one home; alerts (conditions of rules) know nothing of it.

A feature of its own beside `alerts`, because the two change for different reasons: an alert by what a body or a device does, a case by what
people do; `monitor.py` hands every opened, raised or ended alert over.
"""
