"""The ops database: what people and the system decided."""
