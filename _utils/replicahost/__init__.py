"""What a minion does with the database on its host: looks, prepares, exchanges, replicates, counts, takes back."""
