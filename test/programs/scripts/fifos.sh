# Fifos as scripts use them: pipelines, coprocesses by name, locks and servers of a few lines.
mkfifo a b; mkfifo -m 600 c; stat -c '%n %F %a %s %h' a b c; test -p a && echo is a fifo
[ -p absent ] || echo absent is none
(seq 1 5 > a) & tr '\n' ' ' < a; echo; wait
# Two readers and writers in a chain.
(cat a > b) & (sed 's/^/chain: /' b > out) & printf 'one\ntwo\n' > a; wait; cat out
# tee and process substitution into fifos.
(sort a > sorted) & (wc -l < b > counted) & printf 'c\nb\na\n' | tee a > b; wait; cat sorted counted
seq 1 3 | tee >(cat > via) > /dev/null; sleep 0.2; cat via
# A request-answer server.
(while read -r line; do [ "$line" = end ] && break; echo "answer to $line"; done < a > b) &
exec 7> a 8< b; echo first >&7; read -r x <&8; echo "$x"; echo second >&7; read -r x <&8; echo "$x"; echo end >&7; exec 7>&- 8<&-; wait
# Read and write open never blocks.
exec 5<> a; echo kept >&5; read -r x <&5; echo "$x"; ls -l /proc/self/fd/5 | sed 's/.*-> //'; exec 5>&-
# /dev/fd and /dev/stdin of a fifo.
(sleep 0.2; echo by stdin; sleep 0.2) > c & cat /dev/stdin < c; wait
(sleep 0.2; echo by number; sleep 0.2) > c & exec 6< c; cat /dev/fd/6; exec 6<&-; wait
timeout 0.3 cat a; echo "timed out: $?"
timeout 0.3 bash -c 'echo x > a'; echo "timed out: $?"
mv a renamed; ln renamed linked; (echo by another name > linked) & cat renamed; wait
rm renamed linked; test -e renamed || echo gone
yes 2>/dev/null | head -c 300000 > b & cksum < b; wait
(dd if=/dev/zero bs=4k count=64 status=none > c) & dd if=c of=copied bs=1k iflag=fullblock status=none; wait; stat -c %s copied
cp -R c cc; stat -c %F cc; tar cf t.tar b c; rm t.tar; find . -type p | sort
touch -d @1000 c; stat -c %Y c; chmod u+s c; stat -c %A c
grep -q x c & sleep 0.1; echo x > c; wait $!; echo "grep: $?"
mkfifo c; echo "again: $?"; rm -f b c cc; ls
if [ "$(id -u)" = 0 ]; then
  mknod null c 1 3; mknod zero c 1 5; mknod full c 1 7; mknod block b 240 77; stat -c '%F %t %T' null block
  touch devices
fi
echo scenario complete
