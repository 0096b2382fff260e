"""The tests themselves prove that nothing of ours needs a network: see conftest.py."""

import socket

import pytest


def test_a_test_that_calls_out_fails():
    with socket.socket() as caller, pytest.raises(pytest.fail.Exception, match="called out"):
        caller.connect(("192.0.2.1", 9))        # an address reserved for documentation


def test_a_test_that_looks_up_a_foreign_name_fails():
    with pytest.raises(pytest.fail.Exception, match="called out"):
        socket.getaddrinfo("example.invalid", 80)


def test_the_loopback_stays_open():
    with (socket.create_server(("127.0.0.1", 0)) as server,
          socket.create_connection(server.getsockname()) as client):
        assert client.getpeername() == server.getsockname()
