"""PostgreSQL: the server, the schema, rows and columns in and out."""
