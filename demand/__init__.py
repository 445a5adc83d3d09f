"""How much will come and how many people it takes: forecasts of arrivals and staffing. Frames in, frames out.

No database and no scheduler: `warehouse.demand` writes what is needed as Parquet and merges the results.
"""
