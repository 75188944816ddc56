# Programs that watch. Everything waits for what it has to see, so that only order and content count.
mkdir watched watched/sub
echo first > watched/log

# inotifywait, recursive, in the background, until it is established.
inotifywait -m -r -q --format '%w %e %f' -o "$HOST/events" watched 2> "$HOST/ready" &
waiter=$!
for i in $(seq 200); do grep -q inotify "/proc/$waiter/fdinfo/"* 2> /dev/null && break; sleep 0.02; done
sleep 0.3
echo more >> watched/log
cat watched/log > watched/sub/copy
mv watched/sub/copy watched/moved
chmod 600 watched/moved
cp watched/moved watched/second
ln watched/second watched/third
ln -s third watched/link
touch watched/log
rm watched/second watched/third watched/link watched/moved
mkdir watched/new && sleep 0.3 && echo x > watched/new/inside
rm -r watched/new watched/sub
sleep 0.3
kill $waiter
wait $waiter 2> /dev/null || :
cat "$HOST/events"

# One event, and a time-out.
(sleep 0.2; touch watched/once) & inotifywait -q -e create watched; wait
inotifywait -q -t 1 watched; echo "status $?"
inotifywait -q nowhere; echo "status $?"

# tail -f and tail -F, through truncation and rotation.
tail -n +1 -f watched/log > "$HOST/f" 2>&1 & f=$!
tail -n +1 -F watched/log > "$HOST/F" 2>&1 & F=$!
sleep 0.4
for i in 1 2 3; do echo "line $i" >> watched/log; sleep 0.15; done
mv watched/log watched/log.1; sleep 0.15
echo rotated > watched/log; sleep 1.3
echo again >> watched/log; sleep 0.3
kill $f $F; wait $f $F 2> /dev/null || :
cat "$HOST/f"; echo --; cat "$HOST/F"
rm -f watched/log watched/log.1

node -e '
const fs = require("fs");
const seen = [];
const w = fs.watch("watched", (event, name) => { seen.push(`${event} ${name}`); });
setTimeout(() => { fs.writeFileSync("watched/from-node", "x"); fs.renameSync("watched/from-node", "watched/renamed"); fs.unlinkSync("watched/renamed"); }, 100);
setTimeout(() => { w.close(); console.log(seen.join("\n")); }, 500);
'
echo scenario complete
