# Programs that make processes and threads in their own ways.
cat > p.py <<'END'
import multiprocessing as mp, os, subprocess, sys
def work(n):
    with open(f"from-{n}", "w") as f: f.write(str(n))
    return int(open(f"from-{n}").read()) * 2
if __name__ == "__main__":
    for how in ("fork", "spawn", "forkserver"):
        with mp.get_context(how).Pool(3) as pool: print(how, pool.map(work, range(8)))
    fd = os.open("passed", os.O_RDWR | os.O_CREAT); os.write(fd, b"passed on"); os.lseek(fd, 0, 0)
    print(subprocess.run(["cat", f"/dev/fd/{fd}"], pass_fds=[fd], capture_output=True).stdout)
    os.mkdir("sub")
    print(subprocess.run("echo x > here; ls", shell=True, cwd="sub", preexec_fn=lambda: os.umask(0o77), capture_output=True).stdout, oct(os.stat("sub/here").st_mode))
END
python3 p.py
cat > n.mjs <<'END'
import cluster from 'node:cluster'; import fs from 'node:fs/promises'; import { execFile, fork } from 'node:child_process'; import { Worker } from 'node:worker_threads'; import { once } from 'node:events';
if (cluster.isWorker) { await fs.writeFile(`cluster-${process.env.N}`, 'c'); process.exit(0); }
await Promise.all(Array.from({ length: 300 }, async (_, i) => { await fs.writeFile(`s${i}`, `${i}`); await fs.rename(`s${i}`, `t${i}`); if ((await fs.readFile(`t${i}`, 'utf8')) !== `${i}`) console.log('wrong', i); await fs.unlink(`t${i}`); }));
await Promise.all([1, 2, 3].map((n) => once(new Worker(`require('fs').writeFileSync('worker-${n}', 'w')`, { eval: true }), 'exit')));
cluster.setupPrimary({ exec: process.argv[1] }); await Promise.all([1, 2].map((N) => once(cluster.fork({ N }), 'exit')));
console.log((await fs.readdir('.')).filter((n) => /^(worker|cluster|[st]\d)/.test(n)).sort().join(' '));
END
"$NODE" n.mjs
perl -e 'for my $n (1..10) { next if fork; open my $f, ">", "perl-$n"; print $f $n; exit } 1 while wait > 0; my $s = 0; for (glob "perl-*") { open my $f, "<", $_; $s += <$f> } print "perl $s\n"'
env -i /bin/sh -c 'echo bare > bare; cat bare'
chmod 777 .
setpriv --reuid 65534 --regid 65534 --clear-groups /bin/sh -c 'id -u; echo mine > mine; cat mine; stat -c %u mine; echo no > bare' 2> errors
sed 's/.*: //' errors
unshare -Urm sh -c 'echo inside > inside; cat inside; id -u'
for library in /usr/lib/x86_64-linux-gnu/libjemalloc.so.2 /usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4 /usr/lib/x86_64-linux-gnu/libeatmydata.so; do
  [ -e $library ] && LD_PRELOAD="$library${LD_PRELOAD:+:$LD_PRELOAD}" bash -c 'echo "$(sort p.py | wc -l) $(cat bare)"; stdbuf -oL grep -c import p.py'
done
# A daemon of a subshell, with everything closed.
mkfifo ready
(setsid bash -c 'exec < /dev/null > /dev/null 2>&1; for i in 1 2 3; do echo $i >> daemon; done; echo done > ready' &)
cat ready; cat daemon
rm -rf -- *; ls -A; echo scenario complete
