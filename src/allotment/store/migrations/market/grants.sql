GRANT USAGE ON SCHEMA {schema} TO {reader}, {writer};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}, {writer};
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {writer};
REVOKE UPDATE, DELETE ON {schema}.write, {schema}.import_file FROM {writer};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {writer};
