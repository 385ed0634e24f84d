"""PostgreSQL: the server, the schema with its migrations, rows and columns in and out.

Open it with `allotment.store.database.Store`; the modules `…_tables` read and write one concept
each; `packed` and `binary_copy` carry columns.
"""
