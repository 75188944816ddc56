# The same interpreter on both sides, whatever wrapper stands first on PATH.
python=$(python3 -c 'import sys; print(sys.executable)')
cat > files.py <<'END'
import glob, io, os, pathlib, shutil, stat, tempfile, errno, fcntl, filecmp, zipfile, tarfile, gzip, json, pickle, fileinput, linecache, mmap, array

def attempt(f, *a, **k):
    try:
        return f(*a, **k)
    except OSError as e:
        return f"{type(e).__name__} {errno.errorcode[e.errno]} {e.filename}"

os.makedirs("a/b/c"); os.makedirs("a/b/c", exist_ok=True)
with open("a/text", "w") as f: f.write("first\nsecond\n")
with open("a/text", "a") as f: print(f.tell(), f.write("third\n"))
with open("a/text", "r+b") as f: f.seek(6); f.write(b"SECOND"); f.seek(0, 2); print(f.tell()); f.truncate(15)
print(open("a/text").read().splitlines(), os.stat("a/text").st_size, oct(os.stat("a/text").st_mode))
with open("x", "x") as f: f.write("x")
print(attempt(open, "x", "x"), attempt(open, "absent"), attempt(open, "a"), attempt(os.listdir, "x"), attempt(os.mkdir, "a"), attempt(os.rmdir, "a"), attempt(os.unlink, "a"), attempt(os.rename, "absent", "y"), attempt(os.readlink, "x"))
print(sorted(os.listdir(".")), sorted(e.name + str(e.is_dir()) + str(e.is_symlink()) + str(e.stat().st_size) for e in os.scandir("a")))
for i in range(50): open(f"a/b/f{i:02}", "w").write("x" * i)
for r, d, f in sorted(os.walk(".")): print(r, sorted(d), sorted(f)[:3])
for r, d, f, fd in os.fwalk("a"): d.sort(); print(r, sorted(d), len(f), sum(os.stat(n, dir_fd=fd).st_size for n in f))
print(sorted(glob.glob("a/b/f0*"))[:4], sorted(glob.glob("**/f1?", recursive=True))[:2], len(glob.glob("a/*/f*")))
p = pathlib.Path("a"); print(sorted(map(str, p.rglob("f4*"))), p.joinpath("text").read_text(), (p / "n").write_bytes(b"\0" * 10), (p / "n").exists(), p.resolve().name, p.absolute().is_dir(), sorted(map(str, p.glob("*/f03"))))
(p / "link").symlink_to("text"); print((p / "link").read_text(), os.path.realpath("a/link").endswith("a/text"), os.path.islink("a/link"), os.lstat("a/link").st_size, (p / "link").readlink())
os.link("a/text", "a/hard"); print(os.stat("a/hard").st_nlink, os.path.samefile("a/hard", "a/text")); os.replace("a/hard", "a/n"); os.renames("a/n", "q/r/n"); print(os.path.exists("q/r/n"))
os.utime("x", ns=(1_000_000_001, 2_000_000_002)); s = os.stat("x"); print(s.st_atime_ns, s.st_mtime_ns); os.chmod("x", 0o4640); print(stat.filemode(os.stat("x").st_mode)); os.truncate("x", 100); os.chown("x", 3, 4); print(os.stat("x").st_uid, os.stat("x").st_gid, os.access("x", os.R_OK), os.access("absent", os.F_OK))
shutil.copytree("a", "copy"); print(sorted(os.listdir("copy")), filecmp.dircmp("a", "copy").diff_files, shutil.copy2("a/text", "copy/t2"), os.stat("copy/t2").st_mtime_ns == os.stat("a/text").st_mtime_ns)
shutil.move("copy", "moved"); print(os.path.isdir("moved")); shutil.make_archive("arc", "gztar", "a"); shutil.unpack_archive("arc.tar.gz", "un"); print(sorted(os.listdir("un"))); shutil.rmtree("moved"); print(attempt(shutil.rmtree, "absent"), shutil.disk_usage(".").total > 0); os.remove("arc.tar.gz")
with zipfile.ZipFile("z.zip", "w") as z: z.write("a/text"); z.writestr("s", "data")
with zipfile.ZipFile("z.zip") as z: print(z.namelist(), z.testzip()); z.extractall("unz")
with gzip.open("g.gz", "wt") as g: g.write("zipped")
print(gzip.open("g.gz", "rt").read()); json.dump({"k": [1]}, open("j", "w")); print(json.load(open("j"))); pickle.dump([1], open("pk", "wb")); print(pickle.load(open("pk", "rb"))); os.remove("z.zip"); os.remove("g.gz")
tempfile.tempdir = os.getcwd()
with tempfile.NamedTemporaryFile(dir=".") as t: t.write(b"temp"); t.flush(); print(os.path.getsize(t.name), oct(os.stat(t.name).st_mode))
with tempfile.TemporaryFile() as t: t.write(b"unnamed"); t.seek(0); print(t.read(), os.fstat(t.fileno()).st_nlink)
with tempfile.TemporaryDirectory() as d: open(os.path.join(d, "f"), "w"); print(os.listdir(d), oct(os.stat(d).st_mode))
with tempfile.SpooledTemporaryFile(max_size=10) as t: t.write(b"more than ten bytes"); t.seek(0); print(t.read())
print(os.path.exists(t.name) if isinstance(t.name, str) else "gone", sorted(os.listdir(".")))
fd = os.open("raw", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600); print(os.write(fd, b"0123456789"), os.pread(fd, 3, 4), os.pwrite(fd, b"ab", 2), os.lseek(fd, 0, 0), os.read(fd, 100), os.preadv(fd, [bytearray(2), bytearray(3)], 1), os.writev(fd, [b"x", b"yz"]), os.fstat(fd).st_size)
os.ftruncate(fd, 5); os.fchmod(fd, 0o644); os.fsync(fd); os.fdatasync(fd); os.posix_fallocate(fd, 0, 8192); print(os.fstat(fd).st_size, os.get_inheritable(fd), fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, os.isatty(fd), os.readlink(f"/proc/self/fd/{fd}").endswith("/raw")); d = os.dup(fd); os.lseek(d, 3, 0); print(os.lseek(fd, 0, 1)); os.close(d); os.set_blocking(fd, True)
print(fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)); os.close(fd); print(attempt(os.read, fd, 1), attempt(os.fstat, 9999))
src, dst = os.open("a/text", os.O_RDONLY), os.open("sent", os.O_WRONLY | os.O_CREAT); print(os.sendfile(dst, src, 0, 10), os.copy_file_range(src, dst, 5, 0)); os.close(src); os.close(dst); print(open("sent", "rb").read())
dfd = os.open("a", os.O_RDONLY | os.O_DIRECTORY); print(os.stat("text", dir_fd=dfd).st_size, sorted(os.listdir(dfd))[:2], os.mkdir("viafd", dir_fd=dfd), os.unlink("link", dir_fd=dfd), os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=dfd) > 0); os.fchdir(dfd); print(os.getcwd().endswith("/a"), os.path.exists("new"), os.listdir("viafd")); os.chdir("..")
print(attempt(os.open, "a", os.O_WRONLY), attempt(os.open, "x/y", os.O_RDONLY), attempt(os.open, "a/b", os.O_CREAT | os.O_EXCL), attempt(os.write, os.open("x", os.O_RDONLY), b"z"), attempt(os.open, "x", os.O_DIRECTORY), attempt(os.stat, "n" * 256), attempt(os.stat, "x/"), attempt(os.link, "a", "dirlink"), attempt(os.rename, "a", "a/b/z"), attempt(os.symlink, "t", "x"))
big = os.urandom(3_000_000); open("big", "wb").write(big); print(open("big", "rb").read() == big); f = open("big", "rb", buffering=0); b = bytearray(1 << 20); print(f.readinto(b), b == big[: 1 << 20]); os.remove("big")
st = os.statvfs("."); print(st.f_bsize, st.f_namemax); print(os.path.ismount("a"), os.path.commonpath([os.getcwd(), os.path.abspath("a")]) == os.getcwd(), os.path.relpath("a/b", "q"), os.path.expanduser("x"))
print(os.sysconf("SC_OPEN_MAX") > 0, os.pathconf("a", "PC_NAME_MAX"), os.getxattr.__name__, os.umask(0o77)); os.close(os.open("masked", os.O_CREAT | os.O_WRONLY, 0o666)); print(oct(os.stat("masked").st_mode))
END
cat > process.py <<'END'
import mmap, multiprocessing as mp, os, sqlite3, subprocess, sys, threading, concurrent.futures, signal, time

def work(n):
    with open(f"mp/{n}", "w") as f: f.write(str(n) * 1000)
    return os.path.getsize(f"mp/{n}")

def locked(path, lock):
    for _ in range(50):
        with lock:
            n = int(open(path).read()); open(path, "w").write(str(n + 1))

def main():
    os.mkdir("mp")
    with mp.Pool(3) as pool: print(sum(pool.map(work, range(30))), len(os.listdir("mp")))
    open("count", "w").write("0"); lock = mp.Lock(); ps = [mp.Process(target=locked, args=("count", lock)) for _ in range(3)]
    [p.start() for p in ps]; [p.join() for p in ps]; print(open("count").read())
    ctx = mp.get_context("spawn")
    with ctx.Pool(2) as pool: print(pool.map(work, [100, 101]))
    with concurrent.futures.ProcessPoolExecutor(2) as ex: print(list(ex.map(work, [200, 201])))
    with concurrent.futures.ThreadPoolExecutor(8) as ex: print(sum(ex.map(work, range(300, 400))))
    f = open("map", "w+b"); f.truncate(10000); m = mmap.mmap(f.fileno(), 0); m[5000:5005] = b"hello"; m.flush(); f.seek(5000); print(f.read(5), m.find(b"hello"), m.size()); f.seek(0); f.write(b"from write"); f.flush(); print(m[:10]); m.resize(20000) ; print(os.path.getsize("map")); m[19999:] = b"z"; m.close(); print(open("map", "rb").read()[-1:])
    with open("map", "rb") as f, mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ) as m: print(m[:10], m.rfind(b"w"))
    with open("map", "r+b") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as m: m[:4] = b"COPY"; print(m[:4], f.read(4))
    with open("map", "r+b") as f:
        m = mmap.mmap(f.fileno(), 0)
        if os.fork() == 0: m[100:105] = b"child"; os._exit(0)
        os.wait(); print(m[100:105])
    db = sqlite3.connect("db"); print(db.execute("pragma journal_mode=wal").fetchone()); db.execute("create table t(a)"); db.executemany("insert into t values(?)", ((i,) for i in range(1000))); db.commit()
    def reader(_): c = sqlite3.connect("db"); return c.execute("select sum(a) from t").fetchone()[0]
    with concurrent.futures.ThreadPoolExecutor(4) as ex: print(list(ex.map(reader, range(4))))
    other = sqlite3.connect("db", timeout=0.05); db.execute("begin immediate")
    try: other.execute("insert into t values(1)")
    except sqlite3.OperationalError as e: print(e)
    db.rollback(); other.execute("insert into t values(1)"); other.commit(); print(db.execute("select count(*) from t").fetchone(), sorted(n for n in os.listdir(".") if n.startswith("db"))); db.close(); other.close(); print(sorted(n for n in os.listdir(".") if n.startswith("db")))
    d = sqlite3.connect("rollback"); d.execute("create table t(a)"); d.execute("insert into t values(zeroblob(100000))"); d.commit(); d.execute("pragma mmap_size=1000000"); print(d.execute("select length(a) from t").fetchone(), d.execute("pragma integrity_check").fetchone())
    os.makedirs("sub/dir"); run = lambda *a, **k: subprocess.run(a, capture_output=True, text=True, **k)
    print(run("pwd", cwd="sub/dir").stdout, run("ls", "-a", cwd=os.path.abspath("sub")).stdout, run("cat", stdin=open("count")).stdout, run("sh", "-c", "echo $PWD; cd ..; pwd; cat ../count", cwd="sub/dir").stdout)
    with open("out", "w") as o: subprocess.check_call(["echo", "to a file"], stdout=o); subprocess.check_call("echo shell; echo err >&2", shell=True, stdout=o, stderr=subprocess.STDOUT)
    print(open("out").read()); print(run("./nothing-here-x" if False else "cat", "absent").stderr)
    try: run("./absent")
    except FileNotFoundError as e: print("FileNotFoundError", e.filename)
    try: run("pwd", cwd="absent")
    except FileNotFoundError as e: print("FileNotFoundError", e.filename)
    fd = os.open("count", os.O_RDONLY); print(run("cat", f"/dev/fd/{fd}", pass_fds=[fd]).stdout, run("sh", "-c", f"cat <&{fd}", pass_fds=[fd]).stdout, run("sh", "-c", f"cat <&{fd}").returncode != 0)
    open("tool", "w").write("#!/bin/sh\necho tool $1\n"); os.chmod("tool", 0o755); print(run("./tool", "x").stdout, run(os.path.abspath("tool"), "y", cwd="/").stdout, subprocess.Popen(["./tool", "z"], stdout=subprocess.PIPE, close_fds=False).communicate()[0])
    open("mod.py", "w").write("value = 42\n"); sys.path.insert(0, os.getcwd()); import mod; print(mod.value, mod.__file__.endswith("/mod.py")); open("prog.py", "w").write("import mod, sys; print(mod.value, sys.argv)"); print(run(sys.executable, "prog.py", "arg").stdout, run(sys.executable, "-m", "mod").returncode)
    os.posix_spawn("/bin/cp", ["cp", "count", "spawned"], os.environ); os.wait(); print(open("spawned").read()); r, w = os.pipe(); pid = os.fork()
    if pid == 0: os.chdir("sub"); os.write(w, os.getcwd()[-4:].encode()); open("by-child", "w").write("x"); os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.read(r, 10), os.getcwd()[-4:] == "/sub", sorted(os.listdir("sub"))); t = threading.Thread(target=os.mkdir, args=("by-thread",)); t.start(); t.join(); print(os.path.isdir("by-thread"))
    f = open("shared", "w+b", buffering=0); f.write(b"abcdef"); f.seek(0); pid = os.fork()
    if pid == 0: f.read(3); os._exit(0)
    os.waitpid(pid, 0); print(f.tell(), f.read()); os.close(1); os.open("as-stdout", os.O_CREAT | os.O_WRONLY); os.set_inheritable(1, True); os.system("echo inherited"); os.dup2(2, 1)

if __name__ == "__main__": main()
END
$python files.py; echo $?
$python process.py; echo $?; cat as-stdout
$python -m venv --without-pip v 2> /dev/null && v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'; rm -rf v
$python -m compileall -q . ; ls __pycache__ | sed 's/cpython-[0-9]*/VERSION/'; $python -c 'print(open("count").read())'; echo 'print("stdin script")' | $python; $python - < mod.py; rm -rf __pycache__ *.py
echo scenario complete
