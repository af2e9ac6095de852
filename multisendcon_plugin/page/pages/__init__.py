"""The pages, each a module: what it asks of `Operations`, and what its template is given."""
