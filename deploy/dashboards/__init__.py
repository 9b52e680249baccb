"""Grafana's dashboards as code: what is drawn, from which figures; `python -m deploy.dashboards` writes the JSON."""
