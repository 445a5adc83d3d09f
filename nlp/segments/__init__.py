"""Who the customers are by what they do and need, and which of them are at risk of leaving."""

from nlp.segments.cluster import segment_customers
from nlp.segments.customers import CustomerDataError, customer_features
from nlp.segments.risk import customers_at_risk

__all__ = ["CustomerDataError", "customer_features", "customers_at_risk", "segment_customers"]
