mkdir src; for i in 1 2 3 4 5; do seq $((i * 1000)) > src/n$i; done; ln -s n1 src/link; mkdir src/sub; echo x > src/sub/f; chmod 700 src/sub/f
for tool in gzip bzip2 xz zstd; do
  command -v $tool > /dev/null || continue
  case $tool in gzip) x=gz ;; bzip2) x=bz2 ;; xz) x=xz ;; zstd) x=zst ;; esac
  cp src/n5 n; $tool -q n < /dev/null; ls n*; [ -e n.$x ] && { rm -f n; $tool -q -d n.$x; }; cmp n src/n5 && echo "$tool same"; rm -f n n.$x
  $tool -q -c src/n4 | $tool -q -dc | cmp - src/n4 && echo "$tool pipe"
  tar -cf t.tar.$x -I $tool src && mkdir out && tar -xf t.tar.$x -C out && diff -r --no-dereference src out/src && echo "tar $tool same"; rm -rf out t.tar.$x
done
command -v zip > /dev/null && { zip -qr z.zip src; unzip -qt z.zip; mkdir z; unzip -q z.zip -d z; diff -r src z/src && echo zip same; zip -qd z.zip src/n1; zip -qu z.zip src/n2; unzip -l z.zip | wc -l; zip -qry y.zip src; unzip -q -o y.zip -d z; readlink z/src/link; rm -rf z *.zip; }
command -v cpio > /dev/null && { find src | cpio -o -H newc --quiet > c; cpio -t --quiet < c | sort; rm c; }
command -v rsync > /dev/null && { rsync -a src/ r/; diff -r src r; echo more >> src/n1; rsync -a --delete src/ r/; diff -r src r && echo rsync same; rm -rf r; }
command -v dpkg-deb > /dev/null && { mkdir -p p/DEBIAN p/usr/share; printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: x\n' > p/DEBIAN/control; echo data > p/usr/share/data; dpkg-deb -b p x.deb; dpkg-deb -c x.deb | awk '{ print $1, $6 }'; dpkg-deb -x x.deb q; diff -r p/usr q/usr && echo deb same; rm -rf p q x.deb; }
command -v sha256sum > /dev/null && { find src -type f -exec sha256sum {} + > sums; sha256sum -c sums --quiet && echo sums; rm sums; }
rm -rf src; ls -A
echo scenario complete
