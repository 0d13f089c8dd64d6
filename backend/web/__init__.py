"""The web process: pages and API for operators and doctors. Nothing imports it but the entry point."""
