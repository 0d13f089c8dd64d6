"""What the backend's processes say about themselves: figures for Prometheus, and whether they are well. The only prometheus_client user."""
