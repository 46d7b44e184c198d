"""What a run found, as one HTML page that opens offline, and as Markdown tables."""
