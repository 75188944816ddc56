# Many processes at once; what is left must not depend on their order.
for w in 1 2 3 4 5 6; do (for n in $(seq 200); do echo "writer $w line $n"; done >> appended) & done; wait
wc -l appended; sort appended | sha256sum; for w in 1 2 3 4 5 6; do grep -c "writer $w" appended; done
mkdir race; for w in $(seq 8); do (for n in $(seq 20); do mkdir race/$n 2> /dev/null && echo $n >> won; done) & done; wait
sort -n won | uniq -d; wc -l won; ls race | wc -l
for w in $(seq 8); do (set -C; for n in $(seq 20); do { echo x > race/$n/lock; } 2> /dev/null && echo x >> locks; done) & done; wait; wc -l locks
seq 300 | xargs -P 4 -I{} sh -c 'echo {} > f{}; mv f{} g{}; ln g{} h{}; rm g{}'
ls h* | wc -l; cat h* | awk '{ s += $1 } END { print s }'; ls g* f* 2> /dev/null
if command -v flock > /dev/null; then
  echo 0 > counter
  for w in 1 2 3 4; do (for n in $(seq 15); do flock counter.lock sh -c 'read n < counter; echo $((n + 1)) > counter'; done) & done
  wait; cat counter
  (flock -n 9 && echo held; flock -n counter.lock -c 'echo second' || echo refused) 9> counter.lock
  flock -s counter.lock flock -s -n counter.lock echo shared; flock counter.lock sleep 1 & sleep 0.3; flock -w 0.1 counter.lock true; echo $?; wait
fi
(for i in $(seq 50); do echo $i > swap.a.tmp; mv swap.a.tmp swap; done) & (for i in $(seq 50); do cat swap > /dev/null 2>> missing; done) & wait; cat swap
mkdir many; (cd many; seq 2000 | xargs touch; ls | wc -l; find . -name '*7' | wc -l; seq 1 2 2000 | xargs rm; ls | wc -l; rm -rf ../many); ls -d many
mkdir deep; cd deep; for i in $(seq 60); do mkdir d$i; cd d$i; done; pwd | wc -c; touch bottom; cd "$D"; find deep -name bottom | wc -c; rm -r deep; ls -d deep
yes abcdefghij | head -c 20000000 > large; wc -c large; md5sum large; (dd if=large bs=1M skip=5 count=10 status=none | md5sum) & (tail -c 1000000 large | md5sum > t) & wait; cat t; cp large large2; cmp large large2; truncate -s 5 large; cat large; rm large2
sleep 0.5 & exec 7> kept; rm kept; echo still-writable >&7; exec 7>&-; ls kept; kill %1 2> /dev/null; (sleep 10 > victim & p=$!; sleep 0.1; kill -9 $p; wait $p) 2> /dev/null; ls victim; (echo $BASHPID > pid; exec sleep 0) ; [ -s pid ] && echo pid
rm -f won locks pid missing appended
echo scenario complete
