"""Data Docs that open without a network: Great Expectations' own templates load styles and tables from CDNs."""
