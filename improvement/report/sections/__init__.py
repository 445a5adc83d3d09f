"""The parts of the report: each turns rows of the mart into what its template shows, text and tone included."""
