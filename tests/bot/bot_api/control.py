"""The tests' side of the server, below `/control`: people act, screens are read, faults are ordered, calls are looked up."""

import time
from collections import deque
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot_api.faults import Faults
from bot_api.people import People
from bot_api.updates import Updates
from bot_api.webhook import Webhook
from bot_api.world import World

MAX_CALLS = 50_000


class Log:
    """The calls of the bot, the newest last."""

    def __init__(self) -> None:
        self._calls: deque[dict[str, Any]] = deque(maxlen=MAX_CALLS)

    def begun(self, method: str, fields: dict[str, Any], fault: str | None) -> dict[str, Any]:
        """A call that has arrived; `status` is 0 until it has ended, `done` is when its effect was there."""
        entry = {"method": method, "fields": fields, "fault": fault, "at": time.time(), "done": None, "status": 0}
        self._calls.append(entry)
        return entry

    def of(self, methods: set[str], since: float) -> list[dict[str, Any]]:
        """Calls of these methods, or of all but polls where none is named."""
        return [
            call
            for call in self._calls
            if call["at"] >= since and (call["method"] in methods or (not methods and call["method"] != "getupdates"))
        ]


class Control:
    """Routes for tests."""

    def __init__(self, world: World, updates: Updates, webhook: Webhook, faults: Faults, log: Log) -> None:
        self._world = world
        self._updates = updates
        self._webhook = webhook
        self._faults = faults
        self._log = log
        self._people = People(world, updates)
        self.routes = [
            Route("/control/people/{who:int}", self.person, methods=["PUT"]),
            Route("/control/act/{name}", self.act, methods=["POST"]),
            Route("/control/chats/{chat}", self.chat),
            Route("/control/files/{file_id}", self.file),
            Route("/control/calls", self.calls),
            Route("/control/faults", self.order, methods=["PUT"]),
            Route("/control/faults", self.happened),
            Route("/control/proxies", self.proxy, methods=["PUT"]),
            Route("/control/state", self.state),
            Route("/control/expire", self.expire, methods=["POST"]),
        ]

    async def person(self, request: Request) -> Response:
        """Name, language_code, username of somebody."""
        return JSONResponse(self._world.person(request.path_params["who"], **await request.json()))

    async def act(self, request: Request) -> Response:
        """Somebody does something, see `People`."""
        return JSONResponse(await self._people.acts[request.path_params["name"]](**await request.json()))

    async def chat(self, request: Request) -> Response:
        """A chat as a person sees it."""
        return JSONResponse(self._world.screen(int(request.path_params["chat"])))

    async def file(self, request: Request) -> Response:
        """The bytes of a file that somebody or the bot sent."""
        return Response(self._world.files.by_id(request.path_params["file_id"]).data)

    async def calls(self, request: Request) -> Response:
        """`?method=a&method=b&since=` what the bot has called."""
        methods = {name.lower() for name in request.query_params.getlist("method")}
        return JSONResponse(self._log.of(methods, float(request.query_params.get("since", 0))))

    async def order(self, request: Request) -> Response:
        """Faults from now on, instead of those before."""
        body = await request.json()
        try:
            self._faults.order(body["rules"], body["seed"])
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({})

    async def happened(self, _: Request) -> Response:
        """How often each fault has happened since they were ordered."""
        return JSONResponse(dict(self._faults.happened))

    async def proxy(self, request: Request) -> Response:
        """What stands behind https addresses."""
        self._webhook.proxies = await request.json()
        return JSONResponse({})

    async def state(self, _: Request) -> Response:
        """Updates that wait, menus, and the webhook."""
        menus = [
            {"scope": scope, "language": language, "commands": menu}
            for (scope, language), menu in self._world.commands.items()
        ]
        pending = sorted(self._updates.pending)
        return JSONResponse({"pending": pending, "menus": menus, "webhook": self._webhook.url, "now": time.time()})

    async def expire(self, _: Request) -> Response:
        """Make all pressed buttons too old to be answered."""
        for query in self._world.queries.values():
            query.born -= 3600
        return JSONResponse({})
