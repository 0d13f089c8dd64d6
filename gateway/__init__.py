"""The daemon in the home: reads devices, keeps what they say on disk, publishes it until the backend has stored it."""
