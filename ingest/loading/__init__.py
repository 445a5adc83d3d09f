"""The steps of a load: stage (map, mask, check), spool, write into the warehouse, keep account."""
