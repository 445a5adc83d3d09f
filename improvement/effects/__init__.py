"""Whether actions helped, measured against a baseline that was fixed by rule, not by looking."""
