. "$SCRIPTS/plant.sh"
plant p
function show () 
{ 
    ( cd "$1" && find . -printf '%P %y %m %s %n %l %T+\n' | sort )
}
cp -a p a
show a
diff -r p a && echo same
cp -r p r
diff -r p r
echo $?
cp -rL p/dir l
echo $?
show l | cut -d' ' -f1-5
cp p/text t
cp -p p/text tp
stat -c '%n %y %a' tp
cp -l p/text tl
stat -c '%n %h' tl
cp -s "$D/p/text" ts
readlink ts
cp -n p/dir/numbers t
wc -l t
cp --sparse=always p/dir/sub/big sp
cmp sp p/dir/sub/big
cp --reflink=auto p/dir/sub/big rl
cmp rl p/dir/sub/big
cp --reflink=always p/text no
echo $?
rm -f no
cp -u p/text t
cp -b p/text t
ls t t~
cp -f p/text t
cp --remove-destination p/dir/soft t 2>&1
cp -P p/dir/soft lnk
readlink lnk
cp -d p/dangling dd
readlink dd
cp p/text p/dir/numbers p/empty
ls p/empty
cp p/dir x
echo $?
cp absent x
echo $?
cp p/text p/text
echo $?
cp -r p p/dir
echo $?
rm -r p/dir/p
cp -a --attributes-only p/dir/script ao
stat -c '%a %s' ao
cp --preserve=links,mode -r p/dir pl
cp -T p/text T
cp -t p/empty t
cp /etc/passwd host
cmp /etc/passwd host
cp host "$HOST/back"
cmp "$HOST/back" host
cp -a p "$HOST/tree"
diff -r p "$HOST/tree" && echo same-host
cp -a "$HOST/tree" fromhost
diff -r p fromhost && echo same-back
mv t t2
mv t2 p/dir/
mv p/dir/t2 .
mv a a2
show a2 | head -3
mv -n t2 tp
mv -b t2 tp
ls tp*
mv a2 r/
ls r
mv r/a2 .
mv a2 "$HOST/a2"
ls "$HOST"
mv "$HOST/a2" a3
diff -r p a3
echo $?
mv absent y
echo $?
mv p p/dir
echo $?
mv p/text p/dir
echo $?
mv p/dir/text p/text
mv a3 tp
echo $?
mkdir full
touch full/f
mkdir src2
mv -T src2 full
echo $?
mv -T src2 empty2
ls -d empty2
mv --exchange 2> /dev/null
mv l/ l2
ls -d l2
mv lnk/ q
echo $?
ln p/text h1
ln -s target s1
ln -sf other s1
readlink s1
ln -sfn p sdir
ln -s ../x "p/rel"
ln p/text h1
echo $?
ln -f p/dir/numbers h1
ln p/dir h2
echo $?
ln -L p/dir/soft hl
stat -c '%F %h' hl
ln -P p/dir/soft hs
stat -c '%F %h' hs
ln -r -s p/dir/sub/big relative
readlink relative
ln -t full p/text
ln -b p/text full/text
ls full
install -m 755 p/text i
install -d -m 700 d1/d2/d3
install -D p/text e1/e2/f
install -p -m 600 p/text ip
install -t d1 p/text i
install -C p/text i
stat -c '%n %a %s' i d1 d1/d2/d3 e1/e2/f ip d1/*
install -b p/dir/numbers i
ls i*
install -s /no i 2> /dev/null
echo $?
rm h1
rm absent
echo $?
rm -f absent
echo $?
rm p
echo $?
rm -d p/dir
echo $?
rmdir p
echo $?
rmdir d1/d2/d3
rmdir -p e1/e2 2>&1
rm -rv full | sort
rm -i i < /dev/null
ls i
chmod 000 p/dir/sub
rm -rf p
ls -d p
rm -rf .
rm -rf ./*
ls -A | sort
unlink ts
unlink pl
echo $?
shred -u ip 2> /dev/null
rm -rf -- * .dot
ls -A
echo scenario complete
