"""From sources to ``raw.*``: connectors, contract, masking, quarantine."""
