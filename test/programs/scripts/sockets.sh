# Unix sockets in the tree, as servers and their clients use them.
python=$(python3 -c 'import sys; print(sys.executable)')
waitfor() { for _ in $(seq 200); do [ -S "$1" ] && return; sleep 0.02; done; echo "$1 did not come"; }
cat > serve.py <<'END2'
import os, socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        self.wfile.write(b"served " + line + repr((self.client_address, self.request.getsockname())).encode() + b"\n")
server = socketserver.ThreadingUnixStreamServer(sys.argv[1], Handler)
for _ in range(3): server.handle_request()
server.server_close()
END2
cat > ask.py <<'END2'
import socket, sys
s = socket.socket(socket.AF_UNIX)
if len(sys.argv) > 2: s.bind(sys.argv[2])
s.connect(sys.argv[1]); s.sendall(b"question\n"); print(s.getpeername(), repr(s.getsockname()), s.makefile().read())
END2
mkdir run; $python serve.py run/py.sock & waitfor run/py.sock; stat -c '%n %F %a %s' run/py.sock; ls -F run
$python ask.py run/py.sock; (cd run && $python ../ask.py py.sock client); $python ask.py "$PWD/run/py.sock"; wait; rm -r run; ls
# Descriptors sent to other processes, by hand and by multiprocessing.
cat > rights.py <<'END2'
import array, multiprocessing, os, socket, tempfile
from multiprocessing import connection, reduction
def child(conn):
    fd = reduction.recv_handle(conn); os.write(fd, b" and the child's"); os.close(fd)
if __name__ == "__main__":
    a, b = socket.socketpair()
    with open("sent", "w+b", buffering=0) as f:
        f.write(b"the parent's"); socket.send_fds(a, [b"x"], [f.fileno(), 0]); _, fds, _, _ = socket.recv_fds(b, 1, 4)
        os.write(fds[0], b" twice"); print(len(fds), f.tell(), os.fstat(fds[0]).st_ino == os.fstat(f.fileno()).st_ino)
        here, there = multiprocessing.Pipe()
        p = multiprocessing.get_context("fork").Process(target=child, args=(there,)); p.start()
        reduction.send_handle(here, f.fileno(), p.pid); p.join(); print(p.exitcode, f.tell())
    print(open("sent").read())
    listener = connection.Listener("listener", "AF_UNIX")
    if os.fork() == 0:
        with connection.Client("listener") as c: c.send(["object", 1]); os._exit(0)
    with listener.accept() as c: print(c.recv(), listener.address)
    os.wait(); listener.close(); print(os.path.exists("listener"))
    with tempfile.TemporaryFile(dir=".") as t:
        t.write(b"nameless"); t.flush(); socket.send_fds(a, [b"x"], [t.fileno()])
    _, fds, _, _ = socket.recv_fds(b, 1, 1); print(os.pread(fds[0], 20, 0))
    pool = multiprocessing.get_context("spawn").Pool(2); print(pool.map(abs, [-1, 2, -3])); pool.close(); pool.join()
    manager = multiprocessing.Manager(); d = manager.dict(); d["k"] = 1; print(dict(d)); manager.shutdown()
END2
TMPDIR=$PWD $python rights.py; rm -rf pymp-* ; ls
cat > net.mjs <<'END2'
import net from 'node:net';
import fs from 'node:fs';
const server = net.createServer((c) => { c.end('from node\n'); });
server.listen('node.sock', () => {
  console.log(server.address(), fs.statSync('node.sock').isSocket());
  const client = net.connect('node.sock');
  client.on('data', (d) => process.stdout.write(d));
  client.on('close', () => server.close(() => console.log(fs.existsSync('node.sock'))));
});
net.connect('absent.sock').on('error', (e) => console.log(e.code, e.address));
END2
$NODE net.mjs
# An inherited listening socket, as systemd hands one on.
cat > listen.py <<'END2'
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX); s.bind("activated"); s.listen(); os.dup2(s.fileno(), 3, True)
p = subprocess.Popen([sys.executable, "-c", "import socket; s = socket.socket(fileno=3); c, _ = s.accept(); c.sendall(repr(s.getsockname()).encode()); c.close()"], pass_fds=[3])
c = socket.socket(socket.AF_UNIX); c.connect("activated"); print(c.makefile().read(), p.wait())
END2
$python listen.py; rm -f activated
# Debian installs it setgid; a copy is not.
cp "$(command -v ssh-agent)" "$HOST/agent"
eval "$("$HOST/agent" -s -a "$PWD/agent.sock")" > /dev/null; ssh-add -l; ssh-keygen -q -t ed25519 -N '' -f key -C test; ssh-add -q key; ssh-add -l | cut -d' ' -f1,3-; "$HOST/agent" -k > /dev/null; rm -f key key.pub agent.sock
ls; echo sockets done
echo scenario complete
