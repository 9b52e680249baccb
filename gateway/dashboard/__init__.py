"""The operator's view: figures from the database, charts of them, and the page that shows both."""
