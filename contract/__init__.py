"""What gateways and the backend say to each other: topics, messages, quantities. Imports only pydantic."""
