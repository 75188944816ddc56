# Programs that map their files: LMDB, Python's mmap, SQLite's shared memory, several processes at once.
cat > lm.py <<'END'
import sys, subprocess, mmap, os
try:
    import lmdb
except ImportError:
    lmdb = None
def fill(path, first):
    env = lmdb.open(path, map_size=64 << 20)
    for batch in range(20):
        with env.begin(write=True) as write:
            for i in range(200):
                write.put(b'%05d' % (first + batch * 200 + i), bytes([i % 256]) * 500)
    env.close()
if len(sys.argv) > 1:
    fill('db', int(sys.argv[1]))
    sys.exit()
if lmdb:
    # A reader that maps far more than the file has sees what other processes append.
    env = lmdb.open('db', map_size=64 << 20)
    with env.begin(write=True) as write:
        write.put(b'a', b'b')
    for writers in 1, 3:
        running = [subprocess.Popen([sys.executable, 'lm.py', str(n * 4000)]) for n in range(writers)]
        print([child.wait() for child in running])
        with env.begin() as read:
            print(sum(1 for _ in read.cursor()), sum(len(v) + v[0] for _, v in read.cursor()))
    env.close()
    # The whole map is a file of holes.
    env = lmdb.open('writemap', map_size=4 << 30, writemap=True)
    with env.begin(write=True) as write:
        for i in range(3000):
            write.put(b'%d' % i, b'x' * 1000)
    env.copy('.') if not os.path.exists('data.mdb') else None
    with env.begin() as read:
        print(read.stat()['entries'])
    env.close()
    print(lmdb.open('.').stat()['entries'])
log = open('log', 'w+b')
log.write(b'x' * 100)
log.flush()
seen = mmap.mmap(log.fileno(), 0)
subprocess.run(['sh', '-c', 'yes y | head -c 9000 >> log'])
seen.resize(9100)
print(len(seen), seen[9000:9010])
seen.resize(50)
print(len(seen), os.path.getsize('log'))
END
py=python3
[ -x /usr/bin/python3 ] && py=/usr/bin/python3
$py lm.py
if command -v mdb_stat >/dev/null; then
  mdb_stat db | grep Entries
  mdb_dump db > dump; wc -l < dump
  mkdir loaded; mdb_load -f dump loaded; mdb_stat loaded | grep Entries
  mkdir copied; mdb_copy -c loaded copied; mdb_dump copied | sum
fi
sqlite3 wal.db "PRAGMA journal_mode=wal; PRAGMA mmap_size=268435456; CREATE TABLE t(w, n);"
for w in 1 2 3 4; do
  (for n in $(seq 20); do
    sqlite3 -cmd '.timeout 20000' -cmd 'PRAGMA mmap_size=268435456' wal.db "INSERT INTO t SELECT '$w', value FROM generate_series(1, 50);" > /dev/null ||
      echo failed
  done) &
done
wait
sqlite3 wal.db "PRAGMA integrity_check; SELECT w, count(*), sum(n) FROM t GROUP BY w; VACUUM; SELECT count(*) FROM t;"
# What stands in the files depends on who came first.
rm -rf ./*
echo scenario complete
