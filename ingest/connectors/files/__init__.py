"""Files: CSV, JSON lines, Excel and Parquet."""
