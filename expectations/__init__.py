"""The gate: Great Expectations suites, one file a table, and the code that runs them."""
