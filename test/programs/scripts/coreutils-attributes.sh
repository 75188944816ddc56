. "$SCRIPTS/plant.sh"
plant p
cd p
touch -d '2001-02-03 04:05:06.789' text
stat -c '%y' text dir/hard
touch -r dir/numbers text
stat -c '%y' text
touch -a -d @1000000000 text
touch -m -d @2000000000.5 text
stat -c '%X %Y %y' text
touch -t 199912312359.58 text
stat -c %y text
touch -c absent
ls absent
touch absent/x
echo $?
touch -h -d @5 dir/soft
stat -c '%Y %n' dir/soft text
touch dir/soft
[ text -nt dir/numbers ] && echo touched
touch -d @-100 neg
stat -c %Y neg
touch -d '2500-01-01' far
stat -c %Y far
touch dir
touch -d @7 dir empty
stat -c '%Y' dir empty
before=$(stat -c %Z text)
sleep 0.02
chmod 600 text
[ "$(stat -c %.Z text)" != "$before" ] && echo ctime-moved
b=$(stat -c %.Y dir)
sleep 0.02
touch dir/newfile
[ "$(stat -c %.Y dir)" != "$b" ] && echo dir-mtime-moved
b=$(stat -c %.Y dir)
sleep 0.02
echo > dir/newfile
[ "$(stat -c %.Y dir)" = "$b" ] && echo dir-mtime-kept
for m in 0 777 u+s g+s +t a-x,u+X o=g 4755 2755 1777 7777 -- -x
do
    chmod -- $m text 2>&1
    stat -c '%a %A' text
done
chmod -R go-rwx dir
find dir -printf '%m %P\n' | sort
chmod --reference=empty dir
stat -c %a dir
chmod 644 dangling
echo $?
chmod 640 dir/soft
stat -c %a text
chmod -v 600 text
chmod 755 absent
echo $?
chown 1000:1001 text
stat -c '%u %g' text dir/hard
chown :5 text
chown 7 text
stat -c '%u %g' text
chown -h 8:8 dir/soft
stat -c '%u %g' dir/soft text
chown 9:9 dir/soft
stat -c '%u %g' text
chmod 6755 text
chown 1:1 text
stat -c '%a' text
chgrp 3 dir
chmod g+s dir
mkdir dir/inherit
touch dir/inherits
stat -c '%n %a %g' dir/inherit dir/inherits
chown -R 2:2 dir
find dir -printf '%U %G %P\n' | sort
chown --from=2:2 4:4 text
stat -c %u text
chown 0:0 absent
echo $?
readlink dir/soft
readlink text
echo $?
readlink -f dir/soft
readlink -f dir/absent
readlink -f absent/x
echo $?
readlink -e dangling
echo $?
readlink -m absent/x/../y
ln -s loop loop
readlink -f loop
echo $?
cat loop
echo $?
ln -s "$D/p/dir" absolute
readlink -f absolute/soft
cat absolute/soft | wc -c
ln -s /etc toetc
readlink -f toetc/passwd
head -c4 toetc/passwd | wc -c
ls toetc/passwd
ln -s ../../../../../.. up
ls -d up/etc
readlink -f up/etc
realpath . dir/../text dir/soft absolute/sub
realpath -s dir/soft
realpath --relative-to=dir text dir/sub/big
realpath --relative-base=. dir /etc
realpath absent
realpath -e absent
echo $?
realpath "$D" /
cd dir/sub
realpath ..
realpath ../../text
cd ../..
basename "$PWD"
dirname "$PWD/x"
pathchk -p "$(printf 'a%.0s' $(seq 300))"
echo $?
touch "$(printf 'a%.0s' $(seq 255))"
touch "$(printf 'a%.0s' $(seq 256))" 2>&1 | tail -c 20
ls a* | wc -c
t=$(mktemp -p "$D/p")
stat -c '%a %s %F' "$t"
rm "$t"
t=$(mktemp -d ./tXXXXXX)
stat -c '%a %F' $t
rmdir $t
TMPDIR=$D/p/dir mktemp -t abc.XXXX | sed 's/abc.*/abc/'
rm dir/abc*
mktemp absent/XXXXXX 2>&1 | sed 's/XXXXXX//'
mktemp -u xXXXX | wc -c
mktemp XX
echo $?
mktemp --suffix=.c fXXXXX | sed 's/^f...../f/'
rm f?????.c
mkdir -p m/a/b/c
mkdir m/a
echo $?
mkdir -m 711 mm
stat -c %a mm
mkdir x/y
echo $?
umask 027
mkdir um
touch um/f
stat -c '%a' um um/f
umask 022
rmdir m
echo $?
rmdir -p m/a/b/c
ls -d m
mkdir text
echo $?
mkdir text/x
echo $?
ls text/
echo $?
cat dangling
echo $?
echo made > dangling
cat nowhere
rm dir/
echo $?
touch new/
echo $?
mkdir slash/
ls -d slash/
rmdir slash/
ln -s slash sl
mkdir sl
echo $?
mkdir sl/
echo $?
sync
sync text
sync -f text
echo $?
nice true
timeout 5 cat text | head -1
stdbuf -o0 cat text | head -1
env -i /bin/cat "$D/p/text" | head -1
env -u LD_PRELOAD -u LD_AUDIT cat text | head -1
nohup cat text 2> /dev/null | head -1
echo scenario complete
