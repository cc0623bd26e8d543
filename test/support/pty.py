"""A character device that answers as the TPM behind a unix socket does, or not at all: prints its name, runs till killed."""

import os
import select
import socket
import sys
import tty

master, slave = os.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
tpm = None
if len(sys.argv) > 1:
    tpm = socket.socket(socket.AF_UNIX)
    tpm.connect(sys.argv[1])
while True:
    ready, _, _ = select.select([master] + ([tpm] if tpm else []), [], [])
    if master in ready:
        command = os.read(master, 4096)
        if tpm:
            tpm.sendall(command)
    if tpm in ready:
        answer = tpm.recv(4096)
        if not answer:
            break
        os.write(master, answer)
