"""The backend: three processes (ingest, worker, web) that meet only in the database."""
