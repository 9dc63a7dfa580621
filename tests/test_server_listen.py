"""The socket: a client that reads nothing does not hold its connection for ever."""

from __future__ import annotations

import asyncio
import socket

import pytest

from edge.server import listen


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs Linux")
def test_a_client_that_reads_nothing_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "UNREAD_MS", 300)

    async def answer_who_does_not_read() -> BaseException | None:
        lost: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

        class Answers(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                assert isinstance(transport, asyncio.WriteTransport)
                transport.write(bytes(20_000_000))
                transport.close()  # when all of it is sent

            def connection_lost(self, exc: BaseException | None) -> None:
                lost.set_result(exc)

        with listen.listen("127.0.0.1", 0) as bound:
            server = await asyncio.get_running_loop().create_server(Answers, sock=bound)
            with socket.create_connection(bound.getsockname()):
                found = await asyncio.wait_for(lost, 20)
            server.close()
            await server.wait_closed()
        return found

    assert isinstance(asyncio.run(answer_who_does_not_read()), TimeoutError)
