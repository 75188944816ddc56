# getfattr, setfattr, getfacl, setfacl, and what carries attributes along: cp -a, mv, rsync, tar, ls.
umask 022
echo text > f; mkdir d; ln -s f l
setfattr -n user.colour -v blue f
setfattr -n user.empty f
setfattr -n user.bytes -v 0x00ff0a22 f
setfattr -n user.on-dir -v yes d
setfattr -h -n user.link -v no l; echo "$?"
setfattr -n user.colour -v red l
setfattr -n nonsense.x -v y f; echo "$?"
setfattr -x user.missing f; echo "$?"
getfattr -d f d l
getfattr -d -e hex -m - f
getfattr -n user.colour --only-values f; echo
getfattr -n user.none f; echo "$?"
setfattr -x user.empty f; getfattr f
head -c 65000 /dev/zero | tr '\0' v > "$HOST/long"
{ printf '# file: f\nuser.long="'; cat "$HOST/long"; printf '"\n'; } > "$HOST/dump"
setfattr --restore="$HOST/dump"; echo "$?"
getfattr -n user.long --only-values f | md5sum
setfattr -x user.long f

setfacl -m u:1000:rw,g:2000:r,u:bin:x f
getfacl f; getfacl -n f; ls -l f | cut -c1-11
chmod g=r f; getfacl -cn f; ls -l f | cut -c1-11
setfacl -d -m u:1000:rwx,o::- d; getfacl -n d; ls -ld d | cut -c1-11
( umask 077; echo x > d/new; mkdir d/sub; ln -s new d/link; mkfifo d/pipe )
getfacl -nR d; ls -l d | cut -c1-11
setfacl -x u:bin f; setfacl -m m::rwx f; getfacl -cn f
setfacl -b d/new; getfacl -cn d/new; ls -l d/new | cut -c1-11
setfacl -k d; getfacl -cn d
setfacl -m u:1000 f; echo "$?"
setfacl -d -m u:1:r f; echo "$?"
getfacl -n f | setfacl --set-file=- d/new; getfacl -cn d/new
getfacl -nR . > "$HOST/acls"; setfacl -bR .; setfacl --restore="$HOST/acls"; getfacl -nR . | cmp - "$HOST/acls"; echo "$?"

cp -a f copy; getfattr -d copy; getfacl -cn copy
cp f plain; getfattr -d plain; getfacl -cn plain
cp --preserve=xattr f only; getfattr -d only; getfacl -cn only
cp -a f "$HOST/f"; getfacl -cn "$HOST/f"; cp -a "$HOST/f" back; getfacl -cn back
cp -r --preserve=all d e; getfattr -d e; getfacl -nR e
mv f moved; getfattr -d moved; mv moved f
ln f hard; setfattr -n user.hard -v link hard; getfattr -d f; rm hard
tar --xattrs --acls -cf "$HOST/a.tar" f d
mkdir out; tar --xattrs --xattrs-include='*' --acls -xf "$HOST/a.tar" -C out
getfattr -d out/f out/d; getfacl -nR out
rsync -aAX f d synced/; getfattr -d synced/f synced/d; getfacl -nR synced
setfattr -n user.colour -v green f; setfacl -m u:7:r f
rsync -aAX --itemize-changes f d synced/; getfattr -d synced/f; getfacl -cn synced/f
find . -perm -g+w | sort; stat -c '%A %n' f d copy
echo scenario complete
