sql() { sqlite3 -bail "$@"; }
fill='CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, v REAL); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<5000) INSERT INTO t(name, v) SELECT printf("row %d", x), x/7.0 FROM c;'
for mode in delete truncate persist memory wal; do
  db=$mode.db
  sql $db "PRAGMA journal_mode=$mode; PRAGMA synchronous=FULL; $fill SELECT count(*), sum(id) FROM t;"
  sql $db "BEGIN; UPDATE t SET v = v + 1 WHERE id % 3 = 0; ROLLBACK; SELECT printf('%.3f', sum(v)) FROM t;"
  sql $db "BEGIN; UPDATE t SET v = v + 1 WHERE id % 3 = 0; COMMIT; SELECT printf('%.3f', sum(v)) FROM t;"
  sql $db "CREATE INDEX i ON t(name); SELECT id FROM t WHERE name = 'row 4321'; DELETE FROM t WHERE id > 4000; VACUUM; PRAGMA integrity_check; PRAGMA page_count;"
  # While one writer holds the database, another must be refused and a reader may be.
  sqlite3 $db <<END
BEGIN IMMEDIATE; INSERT INTO t(name) VALUES('held');
.shell sqlite3 -cmd '.timeout 50' $db "INSERT INTO t(name) VALUES('blocked')"; echo "writer: \$?"
.shell sqlite3 $db 'SELECT count(*) FROM t'; echo "reader: \$?"
COMMIT; SELECT count(*) FROM t;
END
  ls | grep $mode
done
# A reader holds its snapshot while a writer adds a row.
sqlite3 wal.db > reader.out <<END &
BEGIN; SELECT count(*) FROM t;
.shell touch ready; while [ ! -e go ]; do sleep 0.02; done
SELECT count(*) FROM t; COMMIT; SELECT count(*) FROM t;
END
reader=$!
while [ ! -e ready ]; do sleep 0.02; done
sql wal.db "INSERT INTO t(name) VALUES('concurrent'); SELECT count(*) FROM t;"
ls wal.db*; touch go; wait $reader; cat reader.out; ls wal.db*
for w in 1 2 3 4; do
  (for n in $(seq 10); do sqlite3 -cmd '.timeout 20000' wal.db "INSERT INTO t(name, v) VALUES('w$w', $n)" || echo failed; done) &
done
wait
sql wal.db "SELECT name, count(*), sum(v) FROM t WHERE name LIKE 'w%' GROUP BY name; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check;"
sql wal.db .dump > dump.sql; sqlite3 restored.db < dump.sql; sql restored.db 'SELECT count(*) FROM t'; sql wal.db ".backup copy.db"; cmp <(sqlite3 copy.db .dump) dump.sql && echo same-dump
sql wal.db "VACUUM INTO 'into.db'"; sql into.db 'PRAGMA integrity_check'; sql wal.db 'PRAGMA mmap_size=1000000; SELECT sum(id) FROM t;'
printf 'a,1\nb,2\n' > in.csv; sql csv.db -cmd '.mode csv' '.import in.csv c' 'SELECT count(*) FROM c' 2>&1; sql wal.db '.mode csv' '.once out.csv' 'SELECT id, name FROM t LIMIT 3'; cat out.csv
sql wal.db "ATTACH 'delete.db' AS other; BEGIN; INSERT INTO t(name) VALUES('two files'); INSERT INTO other.t(name) VALUES('two files'); COMMIT; SELECT count(*) FROM other.t;"
sql "file:wal.db?mode=ro" 'SELECT count(*) FROM t' ; sql -readonly wal.db 'DELETE FROM t'; echo $?; sql absent/x.db 'SELECT 1; CREATE TABLE z(a)'; echo $?; echo garbage-garbage-garbage > bad.db; sql bad.db 'SELECT * FROM t'; echo $?
sql locked.db 'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; CREATE TABLE a(b); INSERT INTO a VALUES(1); SELECT * FROM a;'; ls locked*
sql big.db 'CREATE TABLE b(x); INSERT INTO b VALUES(zeroblob(3000000)); INSERT INTO b VALUES(randomblob(10)); SELECT length(x) FROM b;'; stat -c '%s' big.db; rm big.db
echo scenario complete
