set -e
cd "$1"
mkdir -p d/e/f
echo one > d/a; echo two > d/e/b
for i in 1 2 3 4 5 6 7 8 9 10; do echo $i > d/e/f/$i; done
find . | sort
ls -l d | awk '{print $1, $9}'
tar cf t.tar d; mkdir x; tar xf t.tar -C x; find x -type f | sort | xargs cat | md5sum
ln -s d/a link; readlink link; cat link
cp -a d y; rm -r d; ls
sed -i s/one/three/ y/a; cat y/a
grep -r two y
(cd y/e && pwd | sed "s|$1||")
dd if=/dev/zero of=z bs=4k count=100 2>/dev/null; stat -c %s z; gzip z; gunzip z.gz; wc -c z
vi --version >/dev/null 2>&1 || true
rm -rf y x z t.tar link; ls -A
