"""Speaks TLS on a port of 127.0.0.1, which it prints, and hands on to a plain port. Arguments: folder of cert.pem and key.pem, port."""

import socket
import ssl
import sys
import threading

folder, port = sys.argv[1], int(sys.argv[2])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def forward(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in source, target:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(plain):
    try:
        outer = context.wrap_socket(plain, server_side=True)
    except OSError:
        return
    inner = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=forward, args=(outer, inner), daemon=True).start()
    forward(inner, outer)


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
