"""What the backend asks of gateways: rows that ingest sends until the gateway says they are done."""
