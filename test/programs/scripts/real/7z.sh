command -v 7z > /dev/null && z=7z || z=7zz
mkdir -p src/sub; seq 30000 > src/a; echo b > src/sub/b; ln -s a src/soft; chmod 755 src/sub/b; head -c 1000000 /dev/zero > src/zeros
for format in 7z zip tar; do $z a -bso0 -bsp0 -snl -t$format a.$format src; echo "$format $?"; $z t -bso0 -bsp0 a.$format && echo tested; $z x -bso0 -bsp0 -snl -oout-$format a.$format; diff -r --no-dereference src out-$format/src && echo same; done
$z a -bso0 -bsp0 -mmt=2 -v20k -p'pass word' -mhe=on parts.7z src; ls parts.7z.*; $z x -bso0 -bsp0 -p'pass word' -oparts parts.7z.001; cmp src/a parts/src/a && echo parts; $z x -bso0 -bsp0 -bse0 -pwrong -owrong parts.7z.001; echo "wrong: $?"
echo new > src/new; $z u -bso0 -bsp0 a.7z src; $z d -bso0 -bsp0 a.7z src/zeros; $z l -ba -slt a.7z | grep ^Path | sort; $z x -so a.7z src/new 2> /dev/null; for f in xz bzip2 gzip; do $z a -bso0 -bsp0 -t$f one.$f src/a; $z e -bso0 -bsp0 -so one.$f | cmp - src/a && echo $f; done; echo stdin | $z a -bso0 -bsp0 -siname in.7z; $z x -so in.7z 2> /dev/null
rm -rf src out-* parts parts.7z.* wrong *.7z *.zip *.tar one.*; echo scenario complete
