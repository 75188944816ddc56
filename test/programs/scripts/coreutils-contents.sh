. "$SCRIPTS/plant.sh"
plant p
cd p
cat text dir/numbers > all
wc all
cat -n text
cat - < text
cat text text >> text2
wc -c text2
cat < text >> text
cat text
cat dir
echo $?
cat text >> text
echo "status $?"
echo tee | tee t1 t2 > t3
cat t1 t2 t3
echo more | tee -a t1
cat t1
echo x | tee absent/t dir
echo $?
dd if=dir/numbers of=d1 bs=100 count=3 2>&1 | head -2
dd if=dir/numbers of=d1 bs=10 skip=4 seek=2 count=1 conv=notrunc status=none
wc -c d1
od -c d1 | head -5
dd if=/dev/zero of=sparse bs=1 count=1 seek=1048576 status=none
stat -c '%s %b' sparse
dd if=/dev/zero of=sparse bs=4096 count=1 seek=10 conv=notrunc status=none
stat -c '%s %b' sparse
dd if=dir/numbers of=cs conv=sparse,ucase bs=512 status=none
dd if=text of=ap oflag=append conv=notrunc status=none
dd if=text of=ap oflag=append conv=notrunc status=none
cat ap
dd if=text of=new conv=excl status=none
dd if=text of=new conv=excl
echo $?
dd if=dir/sub/big of=fs bs=64k conv=fsync,fdatasync status=none
cmp fs dir/sub/big
dd if=dir/numbers bs=7 skip=3 count=2 status=none
echo
dd of=in bs=3 status=none < text
cat in
dd if=text iflag=nofollow,fullblock bs=1M status=none
dd if=absent
echo $?
truncate -s 10 dir/hard
cat text
truncate -s 20 text
od -c text
truncate -s +5000 text
stat -c '%s' text
truncate -s '<100' text
truncate -s %64 text
stat -c %s text
truncate -r dir/numbers tr
stat -c '%s %b' tr
truncate -s -1 tr
truncate -c -s 5 no
ls no
truncate -s 1T huge
stat -c '%s %b' huge
truncate -s 1 dir
echo $?
rm huge
head -3 dir/numbers
head -c 20 dir/numbers
head -n -4998 dir/numbers
tail -2 dir/numbers
tail -c 20 dir/numbers
tail -n +4999 dir/numbers
tail -q -n1 all dir/numbers
head -1 all t1
tac dir/numbers | head -2
tail -c +23890 dir/numbers
( sleep 0.2
echo appended >> all
sleep 0.3
echo last >> all ) & timeout 5 tail ---disable-inotify -n 0 -f -s 0.05 all | head -2
wait
wc -l all dir/numbers
wc dir/sub/big
wc -c < all
wc --files0-from=<(printf 'all\0text\0')
nl text2 | head -2
od -An -tx1 text2 | head -1
md5sum all
sha1sum all > sum
sha1sum -c sum
cksum all
sum all
b2sum all | cut -c1-20
base64 text2 | head -1
rev text2 | head -1
fold -w 3 text2 | head -3
expand text2 | head -1
split -l 1000 dir/numbers part.
ls part.*
cat part.* | cmp - dir/numbers && echo split-same
split -b 10k -d dir/sub/big chunk
ls chunk*
split -n 4 dir/numbers n.
wc -c n.*
split -n l/3 --filter='wc -l > $FILE' dir/numbers flt.
cat flt.*
csplit -s dir/numbers /^100$/ '{1}'
ls xx*
rm part.* chunk* n.* xx* flt.*
sort -r dir/numbers -o dir/numbers
head -2 dir/numbers
sort -n -o dir/numbers dir/numbers
head -2 dir/numbers
sort -S 64k -T . all -o sorted
sort -c sorted 2>&1
sort -m dir/numbers sorted | wc -l
shuf -i 1-3 | sort
uniq -c text2 | head -2
comm -12 <(sort text2) <(sort text2) | wc -l
join text2 text2 2> /dev/null | wc -l
cut -c1-2 text2 > cut
paste cut text2 | head -2
tr a-z A-Z < text2 > TR
head -1 TR
sed -i 's/alpha/ALPHA/' text2
head -1 text2
sed -i.bak 1d text2
ls text2*
sed -n '2p;w written' text2
cat written
sed -i -e '$a end' dir/soft t1
cat t1
stat -c %F dir/soft
sed --follow-symlinks -i 's/x/y/' dir/soft
stat -c %F dir/soft
sed -s -n '$=' t1 t2
sed -i s/a/b/ absent
echo $?
sed -i s/a/b/ dir
echo $?
cmp all sorted | head -1
cmp text2 text2.bak
echo $?
cmp -n 3 all all
diff text2 text2.bak
diff -r . . && echo self
mkdir A B
echo 1 > A/f
echo 2 > B/f
touch A/only
diff -r A B
diff -u A/f B/f | tail -n +3
diff -rq A B
cp A/f pf
diff -u --label A --label B A/f B/f > pp
command -v patch > /dev/null && { 
    patch -s pf < pp
    cat pf
}
grep -ra alpha . | sort
grep -c 1 dir/numbers
grep -rl gamma . | sort
grep -q zzz dir/sub/big && echo found
grep -n beta text2 absent
echo $?
grep -F -f t1 t1
zcat --version > /dev/null
gzip -k all
gzip -l all.gz | tail -1 | awk '{print $2}'
gunzip -c all.gz | cmp - all && echo gz-same
rm all.gz
xargs -a text2 -n1 echo
xargs -n2 echo < text2
printf '' | cat > e
cat e e
comm e e
tsort <<< 'a b'
factor 12 > f
cat f
yes | head -100000 > y
wc -l y
env > /dev/null
printf 'a\0b' > z
cat -v z
echo
echo scenario complete
