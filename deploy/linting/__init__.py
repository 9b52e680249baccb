"""Checks of what ships: Dockerfiles, docker-compose.yml for each profile, workflows; run by `make lint`."""
