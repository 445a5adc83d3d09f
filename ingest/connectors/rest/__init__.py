"""Any JSON interface over HTTP."""
